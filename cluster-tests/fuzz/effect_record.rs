//! Records of effects, and pieces of slots: whatever the bytes, reading and applying them does not panic, what is read does
//! not depend on how it was delivered, and there is one way only to write it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nuthatch_engine::effect::Effect;
use nuthatch_engine::effect::record::{Change, Record, append};
use nuthatch_engine::{Context, Engine, EngineOptions, NoEffects, Rng, SlotCopy, Stats};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;

/// Strings may become longer than the fuzzer has memory.
const OFFSET_MAX: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let engine = Engine::new(EngineOptions { databases: 2, in_cluster: false, hash_seed: 1 });
    engine.set_passive(true);
    let (mut stats, mut rng) = (Stats::default(), Rng::new(1));
    let mut cx = Context::new(Timestamp(1_000), &NoEffects, &mut stats, &mut rng);
    if is_harmless(data) {
        let _ = engine.apply(&mut cx, data);
    }
    let mut copy = SlotCopy::new(Slot::of_key(b"k"));
    if engine.import_piece(&cx, &mut copy, 0, data).is_ok() {
        engine.replace_slot(&cx, copy);
    }
});

/// Whether all records can be applied here.
fn is_harmless(data: &[u8]) -> bool {
    let mut rest = data;
    while let Ok(Some((record, taken))) = Record::read(rest) {
        let (bytes, behind) = rest.split_at(taken);
        assert!((0..taken).all(|len| matches!(Record::read(&bytes[..len]), Ok(None))));
        match record.change {
            Change::Effect(Effect::SetRange { offset, .. }) if offset > OFFSET_MAX => return false,
            Change::Effect(effect) => {
                let mut again = Vec::new();
                append(&mut again, record.db, record.slot, effect).expect("it is as short as it was");
                assert_eq!(again, bytes);
            }
            Change::Object { .. } => {}
        }
        rest = behind;
    }
    true
}
