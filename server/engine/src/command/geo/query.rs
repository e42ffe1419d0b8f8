//! The arguments of GEORADIUS, GEORADIUSBYMEMBER, GEOSEARCH, and their forms that only read or only store.
//!
//! Where the older commands have a fixed place for the centre and the radius, the newer ones name them among the options,
//! which come in any order; the rest of the options is theirs together. A centre may be a member, so the set is asked
//! while its query is read. Where there is no set the query is read all the same, as far as Redis reads it: its errors
//! come first, and where to store an empty result must be known.

use nuthatch_proto::resp::Args;

use super::super::CommandError;
use super::super::args::{self, is, repeated};
use super::geohash::Position;
use super::shape::{Extent, Shape};
use super::{position, position_of, unit};
use crate::value::SortedSet;

/// Which command searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Form {
    around: Around,
    /// Whether it may be told where to store.
    stores: bool,
}

/// Where a command has its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    /// Behind the key, as a longitude and a latitude.
    Point,
    /// Behind the key, as a member.
    Member,
    /// Among the options.
    Named,
}

impl Form {
    pub(in super::super) const RADIUS: Self = Self { around: Around::Point, stores: true };
    pub(in super::super) const RADIUS_RO: Self = Self { stores: false, ..Self::RADIUS };
    pub(in super::super) const BY_MEMBER: Self = Self { around: Around::Member, stores: true };
    pub(in super::super) const BY_MEMBER_RO: Self = Self { stores: false, ..Self::BY_MEMBER };
    pub(in super::super) const SEARCH: Self = Self { around: Around::Named, stores: false };
    pub(in super::super) const SEARCH_STORE: Self = Self { stores: true, ..Self::SEARCH };

    /// Whether it stores, and its first argument says where.
    fn begins_with_destination(self) -> bool {
        self.stores && self.around == Around::Named
    }

    /// The argument that names the set.
    pub(super) fn source(self) -> usize {
        if self.begins_with_destination() { 2 } else { 1 }
    }

    /// The event of what it stores.
    pub(super) fn event(self) -> &'static str {
        if self.around == Around::Named { "geosearchstore" } else { "georadiusstore" }
    }
}

/// What is asked for.
pub(super) struct Query<'a> {
    pub(super) shape: Shape,
    pub(super) order: Option<Order>,
    /// How many members at most.
    pub(super) count: Option<usize>,
    /// Whether any so many will do, rather than the nearest or farthest.
    pub(super) any: bool,
    pub(super) with: With,
    /// Where the members are stored, if they are.
    pub(super) destination: Option<&'a [u8]>,
    /// Whether they are stored with their distances for scores.
    pub(super) stores_distances: bool,
}

/// By distance from the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Descending,
}

/// What is replied beside each member.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct With {
    pub(super) distance: bool,
    pub(super) hash: bool,
    pub(super) position: bool,
}

/// What a newer command names its centre or its extent by; it must name one, and may not name both.
#[derive(Debug, Default, Clone, Copy)]
struct Named {
    member: bool,
    point: bool,
    radius: bool,
    sides: bool,
}

/// A query being read.
struct Reader<'a, 's> {
    form: Form,
    set: Option<&'s SortedSet>,
    named: Named,
    query: Query<'a>,
}

impl<'a> Query<'a> {
    /// Reads what a command of that form asks of the set, if there is one. Without a set the shape may be any.
    pub(super) fn parse(form: Form, args: Args<'a>, set: Option<&SortedSet>) -> Result<Self, CommandError> {
        let center = Position { longitude: 0.0, latitude: 0.0 };
        let query = Query {
            shape: Shape { center, extent: Extent::Circle { radius: 0.0 }, unit: 1.0 },
            order: None,
            count: None,
            any: false,
            with: With::default(),
            destination: form.begins_with_destination().then(|| args.at(1)),
            stores_distances: false,
        };
        let mut reader = Reader { form, set, named: Named::default(), query };
        let mut rest = args.skip(form.source() + 1);
        rest = rest.skip(reader.fixed(rest)?);
        while !rest.is_empty() {
            rest = rest.skip(1 + reader.option(rest)?);
        }
        reader.check(args.at(0))?;
        Ok(reader.query)
    }
}

impl<'a> Reader<'a, '_> {
    /// Reads what has a fixed place; how many words that is.
    fn fixed(&mut self, words: Args<'a>) -> Result<usize, CommandError> {
        match self.form.around {
            Around::Point => {
                self.query.shape.center = position(words.at(0), words.at(1))?;
                self.circle(words.at(2), words.at(3))?;
                Ok(4)
            }
            Around::Member => {
                if self.set.is_some() {
                    self.member(words.at(0))?;
                    self.circle(words.at(1), words.at(2))?;
                }
                Ok(3)
            }
            Around::Named => Ok(0),
        }
    }

    /// Takes the option that the words begin with; how many values it has.
    fn option(&mut self, words: Args<'a>) -> Result<usize, CommandError> {
        let (word, values) = (words.at(0), words.len() - 1);
        let query = &mut self.query;
        if is(word, "withdist") {
            query.with.distance = true;
        } else if is(word, "withhash") {
            query.with.hash = true;
        } else if is(word, "withcoord") {
            query.with.position = true;
        } else if is(word, "any") {
            query.any = true;
        } else if is(word, "asc") {
            query.order = Some(Order::Ascending);
        } else if is(word, "desc") {
            query.order = Some(Order::Descending);
        } else if is(word, "count") && values >= 1 {
            query.count = Some(count(words.at(1))?);
            return Ok(1);
        } else if self.form.around == Around::Named {
            return self.named_option(words);
        } else if is_store(word) && values >= 1 && self.form.stores {
            query.destination = Some(words.at(1));
            query.stores_distances = is(word, "storedist");
            return Ok(1);
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(0)
    }

    /// The same, of the options that only the newer commands have.
    fn named_option(&mut self, words: Args<'a>) -> Result<usize, CommandError> {
        let (word, values) = (words.at(0), words.len() - 1);
        if is(word, "storedist") && self.form.stores {
            self.query.stores_distances = true;
            Ok(0)
        } else if is(word, "frommember") && values >= 1 && !self.named.point {
            self.named.member = true;
            self.member(words.at(1))?;
            Ok(1)
        } else if is(word, "fromlonlat") && values >= 2 && !self.named.member {
            self.named.point = true;
            self.query.shape.center = position(words.at(1), words.at(2))?;
            Ok(2)
        } else if is(word, "byradius") && values >= 2 && !self.named.sides {
            self.named.radius = true;
            self.circle(words.at(1), words.at(2))?;
            Ok(2)
        } else if is(word, "bybox") && values >= 3 && !self.named.radius {
            self.named.sides = true;
            self.sides(words.at(1), words.at(2), words.at(3))?;
            Ok(3)
        } else {
            Err(CommandError::Syntax)
        }
    }

    fn member(&mut self, member: &[u8]) -> Result<(), CommandError> {
        let Some(set) = self.set else { return Ok(()) };
        let center = position_of(set, member);
        let unknown = CommandError::Other("ERR could not decode requested zset member");
        self.query.shape.center = center.ok_or(unknown)?;
        Ok(())
    }

    fn circle(&mut self, radius: &[u8], word: &[u8]) -> Result<(), CommandError> {
        let radius = measure(radius, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(CommandError::Other("ERR radius cannot be negative"));
        }
        self.query.shape.extent = Extent::Circle { radius };
        self.query.shape.unit = unit(word)?;
        Ok(())
    }

    fn sides(&mut self, width: &[u8], height: &[u8], word: &[u8]) -> Result<(), CommandError> {
        let width = measure(width, "ERR need numeric width")?;
        let height = measure(height, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(CommandError::Other("ERR height or width cannot be negative"));
        }
        self.query.shape.extent = Extent::Box { width, height };
        self.query.shape.unit = unit(word)?;
        Ok(())
    }

    /// Whether the options go together; `name` is the command's as the client writes it.
    fn check(&self, name: &[u8]) -> Result<(), CommandError> {
        let (query, named) = (&self.query, self.named);
        let is_named = self.form.around == Around::Named;
        let name = || repeated(name);
        if query.destination.is_some() && (query.with.distance || query.with.hash || query.with.position) {
            return Err(CommandError::Other(if is_named {
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            } else {
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            }));
        }
        if is_named && !(named.member || named.point) {
            return Err(CommandError::NoCenter(name()));
        }
        if is_named && !(named.radius || named.sides) {
            return Err(CommandError::NoExtent(name()));
        }
        if query.any && query.count.is_none() {
            return Err(CommandError::Other("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }
}

/// Whether what follows this word of the older commands may be a key to store at.
pub(in super::super) fn is_store(word: &[u8]) -> bool {
    is(word, "store") || is(word, "storedist")
}

fn measure(text: &[u8], error: &'static str) -> Result<f64, CommandError> {
    args::parse_float(text).ok_or(CommandError::Other(error))
}

fn count(text: &[u8]) -> Result<usize, CommandError> {
    let count = usize::try_from(args::integer(text)?).ok().filter(|&count| count > 0);
    count.ok_or(CommandError::Other("ERR COUNT must be > 0"))
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    fn bench() -> Bench {
        let mut bench = Bench::new();
        bench.check_all(&[("GEOADD g 0 0 a 1 1 b", ":2"), ("SET t v", "+OK")]);
        bench
    }

    #[test]
    fn older_commands_have_fixed_places() {
        let storing =
            "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
        bench().check_all(&[
            ("GEORADIUS t x 0 1 m", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("GEORADIUS g x 0 1 m", "-ERR value is not a valid float"),
            ("GEORADIUS g 0 90 1 m", "-ERR invalid longitude,latitude pair 0.000000,90.000000"),
            ("GEORADIUS g 0 0 x m", "-ERR need numeric radius"),
            ("GEORADIUS g 0 0 -1 yd", "-ERR radius cannot be negative"),
            ("GEORADIUS none 0 0 1 yd", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
            ("GEORADIUS g 0 0 1 m NEAREST", "-ERR syntax error"),
            ("GEORADIUS g 0 0 1 m STORE", "-ERR syntax error"),
            ("GEORADIUS g 0 0 1 m FROMMEMBER a", "-ERR syntax error"),
            ("GEORADIUS_RO g 0 0 1 m STORE d", "-ERR syntax error"),
            ("GEORADIUS g 0 0 1 m WITHDIST STORE d", storing),
            ("GEORADIUSBYMEMBER g x y z", "-ERR could not decode requested zset member"),
            ("GEORADIUSBYMEMBER g a y z", "-ERR need numeric radius"),
            ("GEORADIUSBYMEMBER none x y z", "[]"),
            ("GEORADIUSBYMEMBER none x y z STORE t WITHHASH", storing),
            ("GEORADIUSBYMEMBER_RO none x y z STOREDIST t", "-ERR syntax error"),
        ]);
    }

    #[test]
    fn newer_commands_name_everything_once() {
        let storing = "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
        bench().check_all(&[
            ("GEOSEARCH g BYRADIUS 1 m FROMMEMBER a FROMMEMBER b", "[b]"),
            ("GEOSEARCH g BYRADIUS 1 m BYRADIUS 1e3 km FROMMEMBER a ASC", "[a b]"),
            ("GEOSEARCH g FROMMEMBER a FROMLONLAT 0 0 BYRADIUS 1 m", "-ERR syntax error"),
            ("GEOSEARCH g FROMLONLAT 0 0 FROMMEMBER a BYRADIUS 1 m", "-ERR syntax error"),
            ("GEOSEARCH g FROMLONLAT 0 0 BYBOX 1 1 m BYRADIUS 1 m", "-ERR syntax error"),
            ("GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 1 m BYBOX 1 1 m", "-ERR syntax error"),
            (
                "geoSearch g BYRADIUS 1 m ASC ASC",
                "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geoSearch",
            ),
            (
                "GEOSEARCH none FROMMEMBER a ASC ASC ASC",
                "-ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
            ),
            ("GEOSEARCH g FROMMEMBER x BYRADIUS y z", "-ERR could not decode requested zset member"),
            ("GEOSEARCH g FROMMEMBER a BYBOX x 1 m", "-ERR need numeric width"),
            ("GEOSEARCH g FROMMEMBER a BYBOX 1 x m", "-ERR need numeric height"),
            ("GEOSEARCH g FROMMEMBER a BYBOX 1 -1 m", "-ERR height or width cannot be negative"),
            (
                "GEOSEARCH g FROMMEMBER a BYBOX 1 1 x",
                "-ERR unsupported unit provided. please use M, KM, FT, MI",
            ),
            ("GEOSEARCH g FROMMEMBER a BYRADIUS 1 m STOREDIST", "-ERR syntax error"),
            ("GEOSEARCH g FROMMEMBER a BYRADIUS 1 m STORE d", "-ERR syntax error"),
            ("GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 m STORE d", "-ERR syntax error"),
            ("GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 m WITHCOORD", storing),
        ]);
    }

    #[test]
    fn counts_are_positive_and_any_needs_one() {
        bench().check_all(&[
            ("GEOSEARCH g FROMMEMBER a BYRADIUS 1 m COUNT", "-ERR syntax error"),
            ("GEOSEARCH g FROMMEMBER a BYRADIUS 1 m COUNT 0", "-ERR COUNT must be > 0"),
            ("GEOSEARCH g FROMMEMBER a BYRADIUS 1 m COUNT -9223372036854775808", "-ERR COUNT must be > 0"),
            (
                "GEOSEARCH g FROMMEMBER a BYRADIUS 1 m COUNT ANY",
                "-ERR value is not an integer or out of range",
            ),
            ("GEOSEARCH g FROMMEMBER a BYRADIUS 1 m ANY", "-ERR the ANY argument requires COUNT argument"),
            ("GEOSEARCH g FROMMEMBER a BYRADIUS 1 m ANY COUNT 9223372036854775807", "[a]"),
        ]);
    }
}
