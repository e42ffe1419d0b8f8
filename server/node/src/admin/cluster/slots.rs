//! CLUSTER commands about slots: whose they are, and what is in them.
//!
//! Owners change by proposal only. Counting and listing keys asks the engine directly, whoever owns the slot. A slot that
//! holds keys is not given away, because nothing moves them yet; every such refusal says so.

use nuthatch_cluster::topology::{SlotRange, TopologyChange};
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::resp::ReplyWriter;
use nuthatch_proto::slot::Slot;

use super::words::{self, SlotAction, text};
use super::{Call, Refusal, make};

/// Keys in cluster mode are all in the first database.
const DB: usize = 0;

/// The most keys that GETKEYSINSLOT is asked for at once; more are as many.
const KEYS_MAX: usize = 1 << 20;

/// COUNTKEYSINSLOT.
pub(super) fn count_keys(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Result<(), Refusal> {
    let slot = words::slot_of(words::integer(call.args.at(2))?).ok_or("ERR Invalid slot")?;
    reply.count(call.engine.count_keys_in_slot(DB, slot));
    Ok(())
}

/// GETKEYSINSLOT.
pub(super) fn get_keys(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Result<(), Refusal> {
    let (slot, count) = (words::integer(call.args.at(2))?, words::integer(call.args.at(3))?);
    let (Some(slot), Ok(count)) = (words::slot_of(slot), usize::try_from(count)) else {
        return Err("ERR Invalid slot or number of keys".to_owned());
    };
    let keys = call.engine.keys_in_slot(DB, slot, count.min(KEYS_MAX));
    reply.array(keys.len());
    keys.iter().for_each(|key| reply.bulk(key));
    Ok(())
}

/// ADDSLOTS, ADDSLOTSRANGE.
pub(super) async fn add(call: &Call<'_>, named: Result<Vec<SlotRange>, Refusal>) -> Result<(), Refusal> {
    let (view, ranges) = (call.handle.view(), named?);
    make(call, &view, TopologyChange::AddSlots { node: view.me, ranges }).await
}

/// DELSLOTS, DELSLOTSRANGE: of this node's own slots. Their keys stay here until another node owns the slot.
pub(super) async fn remove(call: &Call<'_>, named: Result<Vec<SlotRange>, Refusal>) -> Result<(), Refusal> {
    let (view, ranges) = (call.handle.view(), named?);
    make(call, &view, TopologyChange::DelSlots { node: view.me, ranges }).await
}

/// FLUSHSLOTS.
pub(super) async fn flush(call: &Call<'_>) -> Result<(), Refusal> {
    if holds_keys(call) {
        return Err("ERR DB must be empty to perform CLUSTER FLUSHSLOTS.".to_owned());
    }
    let view = call.handle.view();
    make(call, &view, TopologyChange::FlushSlots { node: view.me }).await
}

/// Whether this node has any key.
pub(super) fn holds_keys(call: &Call<'_>) -> bool {
    Slot::all().any(|slot| call.engine.count_keys_in_slot(DB, slot) > 0)
}

/// SETSLOT. A slot without keys is given at once; one with keys needs a migration.
pub(super) async fn set_slot(call: &Call<'_>) -> Result<(), Refusal> {
    let (slot, action) = words::set_slot(call.args)?;
    let id = call.args.get(4).unwrap_or_default();
    match action {
        SlotAction::Stable => Ok(()),
        SlotAction::Node => give(call, slot, id).await,
        SlotAction::Migrating => {
            if owner(call, slot) != Some(call.handle.view().me) {
                return Err(format!("ERR I'm not the owner of hash slot {slot}"));
            }
            refuse_migration(call, id)
        }
        SlotAction::Importing => {
            if owner(call, slot) == Some(call.handle.view().me) {
                return Err(format!("ERR I'm already the owner of hash slot {slot}"));
            }
            refuse_migration(call, id)
        }
    }
}

fn owner(call: &Call<'_>, slot: Slot) -> Option<NodeId> {
    call.handle.topology().owner(slot).map(|shard| shard.primary.node)
}

fn refuse_migration(call: &Call<'_>, id: &[u8]) -> Result<(), Refusal> {
    let node = words::node_id(id, "I don't know about node")?;
    let topology = call.handle.topology();
    if topology.node(node).is_none() {
        return Err(format!("ERR I don't know about node {}", text(id)));
    }
    if topology.shard_of(node).is_none_or(|shard| shard.primary.node != node) {
        return Err("ERR Target node is not a master".to_owned());
    }
    Err("ERR Slots with keys cannot be moved yet. A slot without keys moves with CLUSTER SETSLOT <slot> NODE <node-id>, \
         sent to its owner"
        .to_owned())
}

async fn give(call: &Call<'_>, slot: Slot, id: &[u8]) -> Result<(), Refusal> {
    let node = words::node_id(id, "Unknown node")?;
    let view = call.handle.view();
    if view.topology.node(node).is_none() {
        return Err(format!("ERR Unknown node {}", text(id)));
    }
    let owner = view.topology.owner(slot);
    let change = TopologyChange::SetSlotNode { slot, node, expected: owner.map(|shard| shard.id) };
    match owner.map(|shard| shard.primary.node) {
        _ if view.topology.satisfies(&change) => Ok(()),
        None => make(call, &view, change).await,
        Some(owner) if owner == view.me => {
            call.handle.give_slot(slot, node).await.map_err(|error| error.to_string())
        }
        Some(owner) => Err(format!(
            "ERR Slot {slot} is served by node {owner}, which alone knows whether it has keys: send this to it"
        )),
    }
}
