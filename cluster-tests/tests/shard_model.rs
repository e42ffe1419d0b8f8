//! The rules of replication as a bounded model, every interleaving of it: three members of a shard, their metadata log,
//! crashes that empty a node, fences that come to nothing, promotions with whoever was fenced.
//!
//! The simulator runs the real machines and finds what is likely; this goes through all that can happen to an abstraction
//! of them, within [`Bound`]. Messages are instant, or do not happen; nodes learn the metadata log as late as they like;
//! a promise ends whenever it likes, but whoever gave it does not act against it before. A crash empties a node, and
//! happens only while another life that is in the in-sync set goes on: losing all of them loses data, and no protocol
//! can help it.
//!
//! Each rule can be taken away, and must be missed within the same bound.

#[path = "shard_model/state.rs"]
mod state;
#[path = "shard_model/steps.rs"]
mod steps;

use stateright::{Checker, HasDiscoveries, Model, Property};

use state::{Bound, Rule, State};
use steps::Step;

/// The model, with all rules or all but one.
#[derive(Debug, Clone, Copy)]
struct Shard {
    bound: Bound,
    without: Option<Rule>,
}

impl Model for Shard {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::initial()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        steps::possible(self, state, actions);
    }

    fn next_state(&self, last: &State, action: Step) -> Option<State> {
        Some(steps::taken(self, last, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "what was acknowledged or shown is on every in-sync life",
                |_, state: &State| state.in_sync_hold_all(),
            ),
            Property::always("who serves shows what was acknowledged", |model: &Self, state: &State| {
                (0..3).all(|node| !state.shows(model.without, node) || state.holds_acked(node))
            }),
            Property::sometimes(SOMETIMES[0], |_, state: &State| {
                state.top().epoch > 1 && state.acked > 1 && state.nodes.iter().any(|n| n.epoch_acked > 1)
            }),
            Property::sometimes(SOMETIMES[1], |_, state: &State| {
                state.top().in_sync.iter().all(Option::is_some)
            }),
            Property::sometimes(SOMETIMES[2], |_, state: &State| {
                state.nodes.iter().any(|node| node.unfenced)
            }),
        ]
    }
}

/// What is to be seen, so that the rules are put to the test.
const SOMETIMES: [&str; 3] =
    ["a successor acknowledges", "all three are in sync", "a fenced member is back without a promotion"];

/// Tests say what they did; the harness shows it when asked.
#[expect(clippy::print_stdout, reason = "what a run covered is for whoever runs it")]
fn say(text: &str) {
    println!("{text}");
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[test]
fn the_rules_hold_in_every_interleaving() {
    let mut seen = std::collections::BTreeSet::new();
    for bound in Bound::ALL {
        let checker = Shard { bound, without: None }.checker().threads(threads()).spawn_bfs().join();
        say(&format!("{bound:?}: {} states, depth {}", checker.unique_state_count(), checker.max_depth()));
        for (name, path) in checker.discoveries() {
            assert!(SOMETIMES.contains(&name), "not \"{name}\": {:?}", path.into_actions());
            seen.insert(name);
        }
    }
    assert_eq!(seen, SOMETIMES.into(), "the model gets nowhere");
}

#[test]
fn every_rule_is_missed_when_it_is_taken_away() {
    for rule in Rule::ALL {
        let found = Bound::ALL.into_iter().find_map(|bound| {
            let model = Shard { bound, without: Some(rule) };
            let checker = model
                .checker()
                .threads(threads())
                .finish_when(HasDiscoveries::AnyFailures)
                .spawn_bfs()
                .join();
            let failed = checker.discoveries().into_iter().find(|(name, _)| !SOMETIMES.contains(name));
            failed.map(|(name, path)| {
                let actions = path.into_actions();
                format!("{rule:?}: not \"{name}\" in {} states: {actions:?}", checker.unique_state_count())
            })
        });
        match found {
            Some(found) => say(&found),
            None => panic!("nobody misses {rule:?}"),
        }
    }
}
