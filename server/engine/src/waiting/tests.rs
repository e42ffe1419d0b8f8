//! Tests of waiting: who is served, in which order, by whom and with what; who is sent away, and that no element is lost
//! between those who bring and those who wait.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, channel};

use nuthatch_proto::resp::args::OwnedArgs;
use parking_lot::Mutex;

use super::*;
use crate::testing::{Bench, printed, row};
use crate::{EngineOptions, HeldBack, NoEffects, Places, Rng, Stats};

/// A client's end of a wait.
struct Letterbox {
    outcomes: Mutex<Sender<Outcome>>,
    open: AtomicBool,
}

impl Mailbox for Letterbox {
    fn deliver(&self, outcome: Outcome) {
        self.outcomes.lock().send(outcome).expect("the client is there");
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }
}

fn letterbox() -> (Arc<Letterbox>, Receiver<Outcome>) {
    let (outcomes, received) = channel();
    (Arc::new(Letterbox { outcomes: Mutex::new(outcomes), open: AtomicBool::new(true) }), received)
}

/// A client that waits.
struct Client {
    letterbox: Arc<Letterbox>,
    received: Receiver<Outcome>,
    wait: Wait,
}

impl Client {
    /// What it has received by now.
    fn heard(&self) -> String {
        match self.received.try_recv() {
            Ok(Outcome::Reply(reply)) => printed(&reply),
            Ok(outcome) => format!("{outcome:?}"),
            Err(_) => "nothing".to_owned(),
        }
    }
}

fn try_to_wait(bench: &mut Bench, command: &str) -> Result<Client, String> {
    let words: OwnedArgs = command.split(' ').collect();
    let (db, protocol) = (bench.db, bench.protocol);
    let (engine, mut cx) = bench.parts();
    let (letterbox, received) = letterbox();
    let (handler, slot) = row(words.as_args());
    let mut out = Vec::new();
    let mut reply = ReplyWriter::new(&mut out, protocol);
    let call = (handler, words.as_args(), slot);
    let mailbox: Arc<dyn Mailbox> = letterbox.clone();
    match engine.execute_or_wait(&mut cx, db, call, mailbox, &mut reply).expect("gates are open") {
        Some(wait) => {
            assert!(out.is_empty(), "a command that waits has no reply yet");
            Ok(Client { letterbox, received, wait })
        }
        None => Err(printed(&out)),
    }
}

#[track_caller]
fn wait(bench: &mut Bench, command: &str) -> Client {
    try_to_wait(bench, command).unwrap_or_else(|reply| panic!("{command} did not wait: {reply}"))
}

/// Whether nobody attends to any of the keys.
fn forgotten(bench: &Bench, keys: &[&str]) -> bool {
    keys.iter().all(|key| {
        let place = Place { db: 0, slot: Slot::of_key(key.as_bytes()) };
        !bench.engine.slot(place).lock().is_attended()
    })
}

#[test]
fn what_is_there_is_taken_at_once() {
    let mut bench = Bench::new();
    for (setup, command, reply) in [
        ("RPUSH b 1 2", "BLPOP a b 0", "[b 1]"),
        ("RPUSH b 3", "BRPOP b a 0", "[b 3]"),
        ("RPUSH b 4 5", "BLMPOP 0 2 a b LEFT COUNT 5", "[b [2 4 5]]"),
        ("RPUSH b 6", "BLMOVE b c LEFT RIGHT 0", "6"),
        ("RPUSH b 7", "BRPOPLPUSH b c 0", "7"),
        ("ZADD z 1 m 2 n 3 o", "BZPOPMIN y z 0", "[z m 1]"),
        ("ZADD z 4 p", "BZPOPMAX y z 0", "[z p 4]"),
        ("ZADD z 4 p", "BZMPOP 0 2 y z MAX COUNT 2", "[z [[p 4] [o 3]]]"),
    ] {
        bench.run(setup);
        assert_eq!(try_to_wait(&mut bench, command).err().as_deref(), Some(reply), "{command}");
    }
    bench.check("LRANGE c 0 -1", "[7 6]");
}

#[test]
fn whatever_brings_a_list_serves_who_waits_for_it() {
    for (setup, push) in [
        ("DEL k", "RPUSH k x"),
        ("DEL k", "LPUSH k x"),
        ("RPUSH l x", "RENAME l k"),
        ("RPUSH l x", "RENAMENX l k"),
        ("RPUSH l x", "COPY l k"),
        ("RPUSH l x", "RPOPLPUSH l k"),
        ("RPUSH l x", "LMOVE l k LEFT LEFT"),
    ] {
        let mut bench = Bench::new();
        bench.run(setup);
        let client = wait(&mut bench, "BLPOP j k 0");
        assert!(!bench.run(push).starts_with('-'), "{push}");
        assert_eq!(client.heard(), "[k x]", "{push}");
        bench.check("EXISTS k", ":0");
        bench.engine.leave(client.wait);
        assert!(forgotten(&bench, &["j", "k"]));
    }
}

#[test]
fn who_came_first_is_served_first_and_everybody_once() {
    let mut bench = Bench::new();
    let clients = ["BLPOP k 0", "BRPOP j k 0", "BLMPOP 0 1 k RIGHT COUNT 2", "BLPOP k 0"]
        .map(|command| wait(&mut bench, command));
    bench.check("RPUSH k 1 2 3 4", ":4");
    let heard = clients.each_ref().map(Client::heard);
    assert_eq!(heard, ["[k 1]", "[k 4]", "[k [3 2]]", "nothing"]);
    bench.check_all(&[("RPUSH j 9", ":1"), ("LRANGE j 0 -1", "[9]"), ("RPUSH k 5", ":1")]);
    assert_eq!(clients.each_ref().map(Client::heard)[1..], ["nothing", "nothing", "[k 5]"]);
    clients.into_iter().for_each(|client| bench.engine.leave(client.wait));
    assert!(forgotten(&bench, &["j", "k"]));
    assert_eq!(
        bench.effects()[..8],
        [
            "push k Right 1",
            "push k Right 2",
            "push k Right 3",
            "push k Right 4",
            "pop k Left 1",
            "pop k Right 1",
            "pop k Right 2",
            "push j Right 9"
        ]
    );
}

#[test]
fn a_value_of_another_type_serves_nobody() {
    let mut bench = Bench::new();
    let list = wait(&mut bench, "BLPOP k 0");
    let sorted_set = wait(&mut bench, "BZPOPMAX k 0");
    bench.check_all(&[("SET k v", "+OK"), ("DEL k", ":1"), ("SADD k v", ":1"), ("DEL k", ":1")]);
    assert_eq!([list.heard(), sorted_set.heard()], ["nothing", "nothing"]);
    bench.check("ZADD k 1 a 2 b", ":2");
    assert_eq!([list.heard(), sorted_set.heard()], ["nothing", "[k b 2]"]);
    bench.check_all(&[("DEL k", ":1"), ("RPUSH k v", ":1")]);
    assert_eq!(list.heard(), "[k v]");
    bench.check("SET k v", "+OK");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    for command in ["BLPOP k 0", "BZMPOP 0 1 k MIN", "BLMOVE k l LEFT LEFT 0"] {
        assert_eq!(try_to_wait(&mut bench, command).err().as_deref(), Some(wrong));
    }
}

#[test]
fn elements_are_handed_on_from_slot_to_slot() {
    let mut bench = Bench::new();
    let last = wait(&mut bench, "BLPOP c 0");
    let second = wait(&mut bench, "BLMOVE b c LEFT LEFT 0");
    let first = wait(&mut bench, "BRPOPLPUSH a b 0");
    bench.check("RPUSH a x y", ":2");
    assert_eq!([&first, &second, &last].map(Client::heard), ["y", "y", "[c y]"]);
    bench.check_all(&[("LRANGE a 0 -1", "[x]"), ("EXISTS b c", ":0"), ("DEL a", ":1")]);
    // Round in a circle: each of the two is served once.
    let there = wait(&mut bench, "BRPOPLPUSH a b 0");
    let back = wait(&mut bench, "BRPOPLPUSH b a 0");
    let own = wait(&mut bench, "BLMOVE a a LEFT RIGHT 0");
    bench.check("RPUSH a z", ":1");
    assert_eq!([&there, &back, &own].map(Client::heard), ["z", "z", "z"]);
    bench.check_all(&[("LRANGE a 0 -1", "[z]"), ("EXISTS b", ":0")]);
    for client in [first, second, last, there, back, own] {
        bench.engine.leave(client.wait);
    }
    assert!(forgotten(&bench, &["a", "b", "c"]));
}

#[test]
fn a_destination_of_another_type_is_an_error_and_costs_no_element() {
    let mut bench = Bench::new();
    bench.check("SET b v", "+OK");
    let client = wait(&mut bench, "BLMOVE a b LEFT LEFT 0");
    bench.check("RPUSH a x", ":1");
    assert_eq!(client.heard(), "-WRONGTYPE Operation against a key holding the wrong kind of value");
    bench.check("LRANGE a 0 -1", "[x]");
}

#[test]
fn a_wait_that_ended_takes_no_element() {
    let mut bench = Bench::new();
    let ended = wait(&mut bench, "BLPOP k 0");
    let closed = wait(&mut bench, "BLPOP k 0");
    let left = wait(&mut bench, "BLMOVE k l LEFT LEFT 0");
    let last = wait(&mut bench, "BLPOP k 0");
    assert!(ended.wait.waiter().end(Outcome::TimedOut) && !ended.wait.waiter().end(Outcome::Unblocked));
    closed.letterbox.open.store(false, Ordering::Relaxed);
    bench.engine.leave(left.wait);
    bench.check("RPUSH k x", ":1");
    assert_eq!([&ended, &closed, &last].map(Client::heard), ["TimedOut", "nothing", "[k x]"]);
    assert!(!last.wait.waiter().end(Outcome::TimedOut));
    let mut out = Vec::new();
    last.wait.waiter().reply_in_vain(&mut ReplyWriter::new(&mut out, Protocol::Resp2));
    assert_eq!(out, b"*-1\r\n");
}

#[test]
fn a_slot_that_moves_away_sends_its_clients_away() {
    let mut bench = Bench::new();
    let (client, other) = (wait(&mut bench, "BLPOP k 0"), wait(&mut bench, "BLPOP j 0"));
    bench.engine.dismiss(Slot::of_key(b"k"));
    assert_eq!([client.heard(), other.heard()], ["Moved", "nothing"]);
    assert!(forgotten(&bench, &["k"]));
}

#[test]
fn clients_wait_in_their_own_database() {
    let mut bench = Bench::new();
    bench.db = 1;
    let client = wait(&mut bench, "BLPOP k 0");
    bench.db = 0;
    bench.check_all(&[("RPUSH k x", ":1"), ("COPY k k DB 1", ":1"), ("LRANGE k 0 -1", "[x]")]);
    assert_eq!(client.heard(), "[k x]");
}

#[test]
fn exchanged_databases_serve_who_waits_in_either() {
    let mut bench = Bench::new();
    bench.db = 1;
    bench.check_all(&[("RPUSH k x", ":1"), ("RPUSH l y", ":1")]);
    bench.db = 0;
    let (client, mover) = (wait(&mut bench, "BLPOP k 0"), wait(&mut bench, "BLMOVE l m LEFT LEFT 0"));
    bench.check("SWAPDB 1 0", "+OK");
    assert_eq!([client.heard(), mover.heard()], ["[k x]", "y"]);
    bench.check("LRANGE m 0 -1", "[y]");
}

/// Runs commands as one, in both ways.
fn transactions(commands: &[&str]) -> [Client; 2] {
    [true, false].map(|locked| {
        let mut bench = Bench::new();
        let client = wait(&mut bench, "BLPOP k 0");
        let (engine, mut cx) = bench.parts();
        let all: Vec<OwnedArgs> = commands.iter().map(|command| command.split(' ').collect()).collect();
        let rows: Vec<_> = all.iter().map(|args| (row(args.as_args()), args.as_args())).collect();
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        if locked {
            let mut places = Places::default();
            for ((command, slot), args) in &rows {
                engine.add_places(&mut places, 0, *command, *args, *slot);
            }
            let begun = engine.begin(&mut cx, &places, None).expect("gates are open");
            let mut transaction = begun.expect("nothing is watched");
            for ((command, _), args) in &rows {
                transaction.run(&mut cx, 0, *command, *args, &mut reply);
            }
            transaction.end(&mut cx);
        } else {
            let held = HeldBack::default();
            cx.hold_back(Some(&held));
            for ((command, slot), args) in &rows {
                engine.execute(&mut cx, 0, *command, *args, *slot, &mut reply).expect("gates are open");
            }
            drop(cx);
            let (engine, mut cx) = bench.parts();
            engine.release(&mut cx, held);
        }
        client
    })
}

#[test]
fn a_transaction_serves_when_all_of_it_is_done() {
    for (commands, heard) in [
        (&["LPUSH k 1", "LPUSH k 2", "LPUSH k 3"][..], "[k 3]"),
        (&["LPUSH k 1", "DEL k"][..], "nothing"),
        (&["LPUSH k 1", "DEL k", "SET k v"][..], "nothing"),
        (&["LPUSH k 1", "DEL k", "LPUSH k 2"][..], "[k 2]"),
        (&["LPUSH j 1", "BRPOPLPUSH j k 0", "BLPOP j 0"][..], "[k 1]"),
    ] {
        assert_eq!(transactions(commands).each_ref().map(Client::heard), [heard, heard], "{commands:?}");
    }
}

#[test]
fn nothing_waits_inside_a_transaction() {
    let mut bench = Bench::new();
    for command in ["BLPOP a b 0", "BRPOP a 1", "BLMPOP 0 1 a LEFT", "BZPOPMIN a 0", "BZMPOP 0 1 a MIN"] {
        assert_eq!(bench.run_raw(&command.split(' ').collect::<Vec<_>>()), b"*-1\r\n", "{command}");
    }
    for command in ["BLMOVE a b LEFT LEFT 0", "BRPOPLPUSH a b 0"] {
        assert_eq!(bench.run_raw(&command.split(' ').collect::<Vec<_>>()), b"$-1\r\n", "{command}");
    }
    bench.check_all(&[("RPUSH a x", ":1"), ("BLPOP a 0", "[a x]")]);
}

#[test]
fn timeouts_are_seconds() {
    let mut bench = Bench::new();
    bench.now = 1_000;
    for (text, deadline) in [
        ("0", None),
        ("-0", None),
        ("0.0001", Some(1_001)),
        ("1.5", Some(2_500)),
        ("0x10", Some(17_000)),
        ("1e3", Some(1_001_000)),
    ] {
        let client = wait(&mut bench, &format!("BLPOP k {text}"));
        assert_eq!(client.wait.deadline(), deadline.map(Timestamp), "{text}");
    }
    for (text, error) in [
        ("-1", "timeout is negative"),
        ("-inf", "timeout is negative"),
        ("x", "timeout is not a float or out of range"),
        ("nan", "timeout is not a float or out of range"),
        ("inf", "timeout is out of range"),
        ("1e300", "timeout is out of range"),
        ("9223372036854775", "timeout is out of range"),
    ] {
        let error = format!("-ERR {error}");
        for command in [format!("BLPOP k {text}"), format!("BLMOVE k l LEFT LEFT {text}")] {
            assert_eq!(try_to_wait(&mut bench, &command).err(), Some(error.clone()), "{command}");
        }
        // Before anything else that is wrong.
        assert_eq!(try_to_wait(&mut bench, &format!("BLMPOP {text} 0 k LEFT")).err(), Some(error), "{text}");
    }
    for (command, error) in [
        ("BLMPOP 0 0 k LEFT", "numkeys should be greater than 0"),
        ("BZMPOP 0 1 k LEFT", "syntax error"),
        ("BLMPOP 0 1 k LEFT COUNT 0", "count should be greater than 0"),
        ("BLMOVE k l UP LEFT x", "syntax error"),
    ] {
        assert_eq!(try_to_wait(&mut bench, command).err(), Some(format!("-ERR {error}")), "{command}");
    }
}

#[test]
fn every_command_that_blocks_waits() {
    use nuthatch_proto::command_table::{Flags, Handler, commands};
    for spec in commands().iter().filter(|spec| spec.flags.contains(Flags::BLOCKING)) {
        let Handler::Data(command) = spec.handler else { continue };
        // Whatever is wrong with these arguments, they are those of a command that waits.
        let args: OwnedArgs = ["x"; 6].into_iter().collect();
        let parsed = Request::parse(command, args.as_args(), Timestamp(0));
        assert!(!matches!(parsed, Ok(None)), "{}", spec.name);
    }
}

/// One client of many that pop, push and move at the same time.
struct Racer<'e> {
    engine: &'e Engine,
    stats: Stats,
    rng: Rng,
}

impl<'e> Racer<'e> {
    fn new(engine: &'e Engine, seed: u64) -> Self {
        Self { engine, stats: Stats::default(), rng: Rng::new(seed) }
    }

    /// Runs a command to its end; one that waits may be told to give up. `None` if it did.
    fn run(&mut self, command: &str) -> Option<String> {
        let words: OwnedArgs = command.split(' ').collect();
        let (handler, slot) = row(words.as_args());
        let impatient = self.rng.below(3) == 0;
        let mut cx = Context::new(Timestamp(1), &NoEffects, &mut self.stats, &mut self.rng);
        let (mailbox, received) = letterbox();
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        let call = (handler, words.as_args(), slot);
        let waits = self.engine.execute_or_wait(&mut cx, 0, call, mailbox, &mut reply);
        let Some(wait) = waits.expect("gates are open") else { return Some(printed(&out)) };
        if impatient {
            std::thread::yield_now();
            wait.waiter().end(Outcome::TimedOut);
        }
        let outcome = received.recv().expect("every wait ends");
        self.engine.leave(wait);
        match outcome {
            Outcome::Reply(reply) => Some(printed(&reply)),
            Outcome::TimedOut => None,
            Outcome::Unblocked | Outcome::Demoted | Outcome::Moved => panic!("nobody says so"),
        }
    }
}

#[test]
fn no_element_is_lost_or_given_twice_among_threads() {
    const EACH: usize = 300;
    let engine = &Engine::new(EngineOptions { databases: 1, hash_seed: 5, in_cluster: false });
    let left = &AtomicUsize::new(2 * EACH);
    let taken = &Mutex::new(BTreeMap::<String, usize>::new());
    std::thread::scope(|threads| {
        for seed in 1..=2 {
            threads.spawn(move || {
                let mut racer = Racer::new(engine, seed);
                for number in 0..EACH {
                    racer.run(&format!("RPUSH {} {seed}:{number}", ["a", "b"][number % 2]));
                }
            });
        }
        // Elements pushed to a and b come to c by way of those who move them, in opposite directions.
        for (seed, moves) in
            [(3, ["BLMOVE a c LEFT RIGHT 0", "BLMOVE c b LEFT RIGHT 0"]), (4, ["BRPOPLPUSH b c 0"; 2])]
        {
            threads.spawn(move || {
                let mut racer = Racer::new(engine, seed);
                for number in 0.. {
                    let moved = racer.run(moves[number % 2]);
                    if moved.is_some_and(|moved| moved == "stop") || left.load(Ordering::Relaxed) == 0 {
                        break;
                    }
                }
            });
        }
        for seed in 5..=6 {
            threads.spawn(move || {
                let mut racer = Racer::new(engine, seed);
                while left.load(Ordering::Relaxed) > 0 {
                    let Some(popped) = racer.run("BLPOP c a b 0") else { continue };
                    let element = popped[3..popped.len() - 1].to_owned();
                    if element == "stop" {
                        break;
                    }
                    *taken.lock().entry(element).or_default() += 1;
                    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                        // Whoever waits now would wait for ever.
                        for key in ["a", "b", "c"].repeat(6) {
                            racer.run(&format!("RPUSH {key} stop"));
                        }
                    }
                }
            });
        }
    });
    let taken = taken.lock();
    assert_eq!((taken.len(), taken.values().max()), (2 * EACH, Some(&1)));
}
