//! What HRANDFIELD, SRANDMEMBER and ZRANDMEMBER share: drawing elements by chance.
//!
//! A count asks for so many different elements, a negative one for so many that may repeat. Different ones are picked in one
//! walk when many of all are wanted, or when the collection is compact and so is walked for each of them anyway; else they
//! are drawn again and again, and what was drawn before is thrown away.
//!
//! A reply of repeated elements is as long as the client likes, so it has a bound of its own.

use foldhash::quality::FixedState;
use hashbrown::HashSet;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::{integer, is};
use super::elements;
use super::{CommandError, Handled};
use crate::context::{Context, Rng};
use crate::store::locked::LockedSlots;
use crate::value::{Collection, Item};

/// Of how many elements at least one must be wanted for all to be walked through.
const WALK: usize = 3;
/// Bytes at which a reply of repeated elements is given up.
const REPLY_MAX: usize = 512 << 20;

/// How many elements are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draw {
    /// So many different ones, or all there are.
    Distinct(usize),
    /// Exactly so many, each drawn from all.
    Repeated(usize),
}

/// A collection whose elements can be drawn.
pub(super) trait Drawn: Collection {
    /// A member, and what belongs to it.
    type Element<'a>: Copy
    where
        Self: 'a;

    /// Whether drawing one takes the same time however many there are.
    fn has_index(&self) -> bool;
    /// One of them, each with the same chance.
    fn random(&self, rng: &mut Rng) -> Option<Self::Element<'_>>;
    /// All of them.
    fn elements(&self) -> impl Iterator<Item = Self::Element<'_>>;
    /// What tells an element from the others.
    fn name<'a>(element: Self::Element<'a>) -> Item<'a>;
}

impl Draw {
    /// Reads a count.
    fn parse(text: &[u8]) -> Result<Self, CommandError> {
        let count = integer(text)?;
        if count == i64::MIN {
            return Err(CommandError::Other(
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ));
        }
        let number = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(if count < 0 { Self::Repeated(number) } else { Self::Distinct(number) })
    }

    /// Refuses a count that cannot be doubled, for replies with two parts per element.
    fn check_pairs(self) -> Handled {
        let (Self::Distinct(count) | Self::Repeated(count)) = self;
        let fits = i64::try_from(count).is_ok_and(|count| count <= i64::MAX / 2);
        if fits { Ok(()) } else { Err(OUT_OF_RANGE) }
    }

    /// How many elements of so many that will be.
    fn count(self, len: usize) -> usize {
        match self {
            Self::Distinct(count) => count.min(len),
            Self::Repeated(count) => count,
        }
    }

    /// Draws, and has `write` reply with each element.
    fn run<C: Drawn>(
        self,
        collection: &C,
        rng: &mut Rng,
        reply: &mut ReplyWriter<'_>,
        mut write: impl FnMut(&mut ReplyWriter<'_>, C::Element<'_>),
    ) -> Handled {
        match self {
            Self::Distinct(count) => {
                distinct(collection, count, rng, |element| write(reply, element));
                Ok(())
            }
            Self::Repeated(count) => {
                let bound = reply.written().saturating_add(REPLY_MAX);
                // Finding one in a compact collection is a walk, so one walk serves them all.
                let walked: Vec<_> =
                    if collection.has_index() { Vec::new() } else { collection.elements().collect() };
                for _ in 0..count {
                    let element = match walked.get(rng.below(walked.len())) {
                        Some(&element) => Some(element),
                        None => collection.random(rng),
                    };
                    let Some(element) = element else { break };
                    write(reply, element);
                    if reply.written() > bound {
                        return Err(OUT_OF_RANGE);
                    }
                }
                Ok(())
            }
        }
    }
}

/// Runs `key [count [paired]]`: one member, or as many as the count says, with what `companion` writes of each if the
/// word is there.
pub(super) fn members<C: Drawn>(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    paired: Option<&str>,
    companion: impl Fn(&mut ReplyWriter<'_>, C::Element<'_>),
) -> Handled {
    let Some(count) = args.get(2) else {
        match slots.read::<C>(cx, args.at(1))?.and_then(|collection| collection.random(cx.rng)) {
            Some(element) => elements::bulk(reply, C::name(element)),
            None => reply.null(),
        }
        return Ok(());
    };
    // Without such a word, an argument too many is seen before the count is.
    if paired.is_none() && args.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let draw = Draw::parse(count)?;
    let paired = match (args.get(3), paired) {
        (None, _) => false,
        (Some(word), Some(paired)) if is(word, paired) && args.len() == 4 => true,
        (Some(_), _) => return Err(CommandError::Syntax),
    };
    if paired {
        draw.check_pairs()?;
    }
    let Some(collection) = slots.read::<C>(cx, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    elements::members_header(reply, draw.count(collection.size()), paired);
    draw.run(collection, cx.rng, reply, |reply, element| {
        let companion = paired.then_some(|reply: &mut ReplyWriter<'_>| companion(reply, element));
        elements::member(reply, C::name(element), companion);
    })
}

const OUT_OF_RANGE: CommandError = CommandError::Other("ERR value is out of range");

/// Shows `count` different elements, or all there are.
fn distinct<'a, C: Drawn>(
    collection: &'a C,
    count: usize,
    rng: &mut Rng,
    mut show: impl FnMut(C::Element<'a>),
) {
    let len = collection.size();
    let mut wanted = count.min(len);
    if !collection.has_index() || wanted.saturating_mul(WALK) > len {
        // Each is taken with the chance that so many of those left are wanted: every choice is as likely as another.
        for (seen, element) in collection.elements().enumerate() {
            if rng.below(len - seen) < wanted {
                show(element);
                wanted -= 1;
            }
        }
        return;
    }
    let mut drawn = HashSet::with_capacity_and_hasher(wanted, FixedState::with_seed(rng.next_u64()));
    while drawn.len() < wanted {
        let Some(element) = collection.random(rng) else { return };
        if drawn.insert(C::name(element)) {
            show(element);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Hash, Limits};

    fn hash(fields: usize) -> Hash {
        let (mut hash, limits) = (Hash::new(), Limits::default());
        (0..fields).for_each(|n| assert!(hash.set(n.to_string().as_bytes(), b"v", &limits)));
        hash
    }

    #[test]
    fn different_elements_are_as_many_as_wanted_and_equally_likely() {
        let mut rng = crate::context::Rng::new(9);
        for (fields, count) in [(10, 3), (600, 500), (600, 3), (600, 0), (7, 100)] {
            let hash = hash(fields);
            let mut times = vec![0_u32; fields];
            for _ in 0..2_000 {
                let mut seen = std::collections::BTreeSet::new();
                distinct(&hash, count, &mut rng, |(field, _)| {
                    let text = String::from_utf8(field.to_vec()).expect("digits");
                    let number: usize = text.parse().expect("digits");
                    assert!(seen.insert(number));
                    times[number] += 1;
                });
                assert_eq!(seen.len(), count.min(fields));
            }
            // A seldom one: four standard deviations from the mean.
            let (mean, draws) = (2_000.0 * count.min(fields) as f64 / fields as f64, 2_000.0);
            let bound = 4.0 * (mean * (1.0 - mean / draws)).sqrt();
            assert!(times.iter().all(|&n| (f64::from(n) - mean).abs() <= bound), "{mean} {bound} {times:?}");
        }
    }

    #[test]
    fn a_reply_without_end_is_given_up() {
        let (mut out, mut rng) = (Vec::new(), crate::context::Rng::new(1));
        let mut reply = ReplyWriter::new(&mut out, nuthatch_proto::resp::Protocol::Resp2);
        let filler = vec![b'x'; 1 << 20];
        let drawn =
            Draw::Repeated(1 << 40).run(&hash(1), &mut rng, &mut reply, |reply, _| reply.raw(&filler));
        assert_eq!(drawn, Err(OUT_OF_RANGE));
    }
}
