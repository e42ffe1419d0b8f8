//! Where a request goes, and where it goes next: the slot map and the rules of redirection, without IO.
//!
//! A [`SlotMap`] is a value. `CLUSTER SLOTS` makes a new one; MOVED makes one with a single slot changed, which is enough
//! to go on at once while the whole is asked for again. A [`Course`] is the fate of one request: given each reply or
//! failure, it says whether that is the end, whom to ask instead, or how long to wait.
//!
//! Rules: MOVED is for good and patches the map; ASK is for this request alone and does not. Both together are followed
//! a bounded number of times. TRYAGAIN, CLUSTERDOWN and a server that is loading or was demoted pass with time: the
//! request was not run, so it is sent again, after growing pauses and until its deadline. A request of which it is not
//! known whether it ran is sent again only if running it twice does no harm.

use std::sync::Arc;
use std::time::Duration;

use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::resp::Frame;
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

/// How many redirections one request follows.
const REDIRECTIONS_MAX: u8 = 16;
/// The first pause; the one before it is none.
const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// No node owns the slot.
const NOBODY: u16 = u16::MAX;

/// Which node owns each slot. There is always at least one node, even if it owns nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlotMap {
    /// Addresses, `host:port`, each once.
    nodes: Vec<Arc<str>>,
    /// For each slot an index into `nodes`, or `NOBODY`.
    owners: Box<[u16]>,
    /// Whether the slots mean anything; a server that is no cluster takes keys of different ones together.
    clustered: bool,
}

impl SlotMap {
    /// One node owns everything: a server that is no cluster.
    pub(crate) fn single(node: &Arc<str>) -> Self {
        Self {
            nodes: vec![Arc::clone(node)],
            owners: vec![0; usize::from(SLOT_COUNT)].into(),
            clustered: false,
        }
    }

    /// Nobody is known to own anything; these may be asked.
    pub(crate) fn unknown(nodes: Vec<Arc<str>>) -> Self {
        Self { nodes, owners: vec![NOBODY; usize::from(SLOT_COUNT)].into(), clustered: true }
    }

    /// Reads the reply to `CLUSTER SLOTS` that the node `asked` gave; `None` if it is none. A node that does not know
    /// its own host says nothing there, which means: the one you reached me at.
    pub(crate) fn from_reply(reply: &Frame, asked: &str) -> Option<Self> {
        let mut map = Self::unknown(Vec::new());
        for range in reply.as_elements()? {
            let [first, last, primary, ..] = range.as_elements()? else { return None };
            let [host, port, ..] = primary.as_elements()? else { return None };
            let (first, last) = (slot(first)?, slot(last)?);
            if first > last {
                return None;
            }
            let port = u16::try_from(port.as_integer()?).ok()?;
            let host = host.as_text().unwrap_or_default();
            let owner = map.index_of(&resolve(&format!("{host}:{port}"), asked))?;
            map.owners.get_mut(first.index()..=last.index())?.fill(owner);
        }
        if map.nodes.is_empty() {
            map.nodes.push(asked.into());
        }
        Some(map)
    }

    /// Whether the keys of one command have to be in one slot.
    pub(crate) fn clustered(&self) -> bool {
        self.clustered
    }

    /// The nodes' addresses.
    pub(crate) fn nodes(&self) -> &[Arc<str>] {
        &self.nodes
    }

    /// The index in [`Self::nodes`] of the slot's owner.
    pub(crate) fn owner(&self, slot: Slot) -> Option<usize> {
        let owner = self.owners[slot.index()];
        (owner != NOBODY).then_some(usize::from(owner))
    }

    /// The map with that slot's owner changed; `None` if it says so already.
    pub(crate) fn moved(&self, slot: Slot, endpoint: &str) -> Option<Self> {
        if self.owner(slot).is_some_and(|owner| &*self.nodes[owner] == endpoint) {
            return None;
        }
        let mut map = self.clone();
        map.owners[slot.index()] = map.index_of(endpoint)?;
        Some(map)
    }

    /// The index of that node, which is added if it is new.
    fn index_of(&mut self, node: &str) -> Option<u16> {
        let index = self.nodes.iter().position(|known| &**known == node).unwrap_or_else(|| {
            self.nodes.push(node.into());
            self.nodes.len() - 1
        });
        u16::try_from(index).ok().filter(|&index| index != NOBODY)
    }
}

fn slot(frame: &Frame) -> Option<Slot> {
    u16::try_from(frame.as_integer()?).ok().and_then(Slot::new)
}

/// An endpoint as an address: one without a host is at the host of the node that named it.
pub(crate) fn resolve(endpoint: &str, named_by: &str) -> String {
    match endpoint.rsplit_once(':') {
        Some(("" | "?", port)) => {
            let host = named_by.rsplit_once(':').map_or(named_by, |(host, _)| host);
            format!("{host}:{port}")
        }
        _ => endpoint.to_owned(),
    }
}

/// What to do with a request next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: what came back is the answer.
    Done,
    /// Nothing: it was sent about too often.
    GiveUp,
    /// Send it to that endpoint.
    Follow {
        /// As the server named it; see [`resolve`].
        endpoint: String,
        /// The slot whose owner that is from now on; behind an ASKING if there is none.
        moved: Option<Slot>,
    },
    /// Send it again to whoever owns its slot then.
    Again {
        /// How long to wait first.
        pause: Duration,
    },
}

/// The fate of one request so far.
#[derive(Debug, Default)]
pub(crate) struct Course {
    redirections: u8,
    pauses: u32,
}

impl Course {
    /// What to do after that reply.
    pub(crate) fn after_reply(&mut self, reply: &Frame) -> Step {
        let Frame::Error(text) = reply else { return Step::Done };
        match Redirect::parse(text) {
            Some(Redirect::Moved { slot, endpoint }) => self.follow(endpoint, Some(slot)),
            Some(Redirect::Ask { endpoint, .. }) => self.follow(endpoint, None),
            Some(Redirect::TryAgain | Redirect::SlotNotServed | Redirect::ClusterDown) => self.again(),
            Some(Redirect::CrossSlot) => Step::Done,
            None if passes_with_time(text) => self.again(),
            None => Step::Done,
        }
    }

    /// What to do after it came to no reply. `unsent` says that no server can have run it.
    pub(crate) fn after_failure(&mut self, unsent: bool, repeatable: bool) -> Step {
        if unsent || repeatable { self.again() } else { Step::Done }
    }

    fn follow(&mut self, endpoint: String, moved: Option<Slot>) -> Step {
        if self.redirections == REDIRECTIONS_MAX {
            return Step::GiveUp;
        }
        self.redirections += 1;
        Step::Follow { endpoint, moved }
    }

    fn again(&mut self) -> Step {
        let doublings = self.pauses.checked_sub(1);
        self.pauses = self.pauses.saturating_add(1);
        let pause = doublings.map_or(Duration::ZERO, |n| PAUSE_FIRST.saturating_mul(1 << n.min(16)));
        Step::Again { pause: pause.min(PAUSE_MAX) }
    }
}

/// Whether the server refused for a reason of its own that is likely to be gone soon.
fn passes_with_time(error: &str) -> bool {
    matches!(error.split(' ').next(), Some("LOADING" | "MASTERDOWN" | "READONLY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u16) -> Slot {
        Slot::new(number).expect("a slot")
    }

    fn range(first: i64, last: i64, host: Frame, port: i64) -> Frame {
        let primary = Frame::Array(vec![host, Frame::Integer(port), Frame::bulk("id"), Frame::Array(vec![])]);
        let replica = Frame::Array(vec![Frame::bulk("10.9.9.9"), Frame::Integer(1), Frame::bulk("id")]);
        Frame::Array(vec![Frame::Integer(first), Frame::Integer(last), primary, replica])
    }

    #[track_caller]
    fn check(map: &SlotMap, expected: &[(u16, Option<&str>)]) {
        for &(number, node) in expected {
            let owner = map.owner(slot(number)).map(|owner| &*map.nodes()[owner]);
            assert_eq!(owner, node, "slot {number}");
        }
    }

    #[test]
    fn cluster_slots_makes_a_map() {
        let reply = Frame::Array(vec![
            range(0, 99, Frame::bulk("10.0.0.1"), 7000),
            range(200, 16383, Frame::bulk("10.0.0.2"), 7001),
            range(100, 149, Frame::Null, 7002),
            range(150, 159, Frame::bulk(""), 7003),
            range(160, 160, Frame::bulk("10.0.0.1"), 7000),
        ]);
        let map = SlotMap::from_reply(&reply, "10.0.0.9:6379").expect("a map");
        check(
            &map,
            &[
                (0, Some("10.0.0.1:7000")),
                (99, Some("10.0.0.1:7000")),
                (100, Some("10.0.0.9:7002")),
                (150, Some("10.0.0.9:7003")),
                (160, Some("10.0.0.1:7000")),
                (161, None),
                (200, Some("10.0.0.2:7001")),
                (16383, Some("10.0.0.2:7001")),
            ],
        );
        assert_eq!(map.nodes().len(), 4);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for reply in [
            Frame::Simple("OK".into()),
            Frame::Array(vec![Frame::Integer(1)]),
            Frame::Array(vec![range(0, 16384, Frame::bulk("h"), 1)]),
            Frame::Array(vec![range(5, 4, Frame::bulk("h"), 1)]),
            Frame::Array(vec![range(0, 1, Frame::bulk("h"), 65536)]),
            Frame::Array(vec![Frame::Array(vec![Frame::Integer(0), Frame::Integer(1)])]),
        ] {
            assert_eq!(SlotMap::from_reply(&reply, "10.0.0.1:1"), None, "{reply:?}");
        }
    }

    #[test]
    fn a_cluster_without_slots_has_its_informant() {
        let map = SlotMap::from_reply(&Frame::Array(vec![]), "10.0.0.1:1").expect("a map");
        check(&map, &[(0, None)]);
        assert_eq!(map.nodes(), ["10.0.0.1:1".into()]);
    }

    #[test]
    fn moved_patches_one_slot() {
        let map = SlotMap::single(&"a:1".into());
        let patched = map.moved(slot(7), "b:1").expect("news");
        check(&patched, &[(6, Some("a:1")), (7, Some("b:1")), (8, Some("a:1"))]);
        assert_eq!(patched.moved(slot(7), "b:1"), None);
    }

    #[test]
    fn an_endpoint_without_host_is_where_it_was_named() {
        assert_eq!(resolve(":6380", "10.0.0.1:6379"), "10.0.0.1:6380");
        assert_eq!(resolve("?:6380", "::1:6379"), "::1:6380");
        assert_eq!(resolve("h:6380", "10.0.0.1:6379"), "h:6380");
    }

    fn after(course: &mut Course, error: &str) -> Step {
        course.after_reply(&Frame::Error(error.into()))
    }

    #[test]
    fn moved_is_for_good_and_ask_is_not() {
        let mut course = Course::default();
        let moved = Step::Follow { endpoint: "b:1".into(), moved: Some(slot(7)) };
        assert_eq!(after(&mut course, "MOVED 7 b:1"), moved);
        let ask = Step::Follow { endpoint: "c:1".into(), moved: None };
        assert_eq!(after(&mut course, "ASK 7 c:1"), ask);
        assert_eq!(course.after_reply(&Frame::Integer(1)), Step::Done);
    }

    #[test]
    fn redirections_are_bounded() {
        let mut course = Course::default();
        for _ in 0..REDIRECTIONS_MAX {
            assert!(matches!(after(&mut course, "MOVED 7 b:1"), Step::Follow { .. }));
        }
        assert_eq!(after(&mut course, "ASK 7 b:1"), Step::GiveUp);
    }

    #[test]
    fn what_passes_is_tried_again_ever_more_slowly() {
        let mut course = Course::default();
        let errors =
            ["TRYAGAIN x", "CLUSTERDOWN Hash slot not served", "LOADING x", "READONLY x", "MASTERDOWN x"];
        let pauses = errors.map(|error| after(&mut course, error));
        assert_eq!(pauses, [0, 1, 2, 4, 8].map(|n| Step::Again { pause: Duration::from_millis(n) }));
        (0..100).for_each(|_| drop(course.after_failure(true, false)));
        assert_eq!(course.after_failure(true, false), Step::Again { pause: PAUSE_MAX });
    }

    #[test]
    fn other_errors_are_answers() {
        for error in ["ERR x", "WRONGTYPE x", "CROSSSLOT x", "MOVED nonsense", ""] {
            assert_eq!(after(&mut Course::default(), error), Step::Done, "{error}");
        }
    }

    #[test]
    fn what_may_have_run_is_not_sent_twice() {
        let after = |unsent, repeatable| Course::default().after_failure(unsent, repeatable);
        let again = || Step::Again { pause: Duration::ZERO };
        assert_eq!(
            [after(false, false), after(false, true), after(true, false)],
            [Step::Done, again(), again()]
        );
    }
}
