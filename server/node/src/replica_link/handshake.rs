//! How a replica of Redis introduces itself to its primary: what is said next, and what the answers mean.
//!
//! A machine without a socket: it is told the primary's lines and answers with the next request, or with what the primary
//! has decided. PING, AUTH if there is a password, REPLCONF for what the primary should know of us, and PSYNC, each after
//! the answer to the one before. A primary too old for something that we announce says so, and that harms nothing.
//!
//! Lines come from another server: the machine looks at no more than the beginning of one, and repeats of it in an error
//! only what is printable.
//!
//! Neighbours: `wire` brings the lines, with a bound on their length; `framing` reads what follows a full resynchronisation.
//!
//! Source: Redis' documentation of replication, and the order that redis-server 7.0.15 was seen to keep.

use std::collections::VecDeque;

use nuthatch_proto::resp::encode_request;

/// How long a replication id is.
pub(crate) const REPLID_LEN: usize = 40;

/// How much of a primary's words is repeated in an error.
const ECHO_MAX: usize = 160;

/// Where in the stream of which history a replica is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The history's replication id.
    pub(crate) replid: String,
    /// How many bytes of it were applied.
    pub(crate) offset: u64,
}

/// What we say of ourselves.
#[derive(Debug, Default)]
pub(super) struct Introduction {
    /// The user to log in as (`masteruser`).
    pub(super) user: Option<String>,
    /// The password (`masterauth`).
    pub(super) password: Option<String>,
    /// Where we listen.
    pub(super) port: u16,
    /// The address under which we are reached, if it is not the one we come from (`replica-announce-ip`).
    pub(super) address: Option<String>,
    /// From where we could go on.
    pub(super) position: Option<Position>,
}

/// What a line of the primary's means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// That it is still there.
    Nothing,
    /// That this is to be sent next.
    Say(Vec<u8>),
    /// That all data comes now, and the stream from that position on.
    Everything(Position),
    /// That the stream goes on where we are, perhaps under another replication id.
    Rest(Option<String>),
}

/// Why the primary cannot be followed. It may be possible later.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwilling {
    /// It answers PING with an error.
    #[error("the primary answers PING with an error: {0}")]
    Ping(String),
    /// It does not let us in.
    #[error("the primary refuses AUTH (see the options masterauth and masteruser): {0}")]
    Auth(String),
    /// It does not send its data now.
    #[error("the primary does not take replicas now: {0}")]
    Psync(String),
    /// It is no Redis.
    #[error("the primary's answer to {to} makes no sense: {line}")]
    Nonsense {
        /// What was asked.
        to: &'static str,
        /// The answer.
        line: String,
    },
}

/// What was said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ping,
    Auth,
    ReplConf,
    Psync,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Auth => "AUTH",
            Self::ReplConf => "REPLCONF",
            Self::Psync => "PSYNC",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Handshake {
    stage: Stage,
    /// What is to be said after that.
    rest: VecDeque<(Stage, Vec<u8>)>,
}

impl Handshake {
    /// A handshake, and its first request.
    pub(super) fn begin(introduction: &Introduction) -> (Self, Vec<u8>) {
        let mut rest = VecDeque::new();
        let mut say = |stage: Stage, words: &[&str]| {
            let mut request = Vec::new();
            encode_request(&mut request, words);
            rest.push_back((stage, request));
        };
        if let Some(password) = &introduction.password {
            match &introduction.user {
                Some(user) => say(Stage::Auth, &["AUTH", user, password]),
                None => say(Stage::Auth, &["AUTH", password]),
            }
        }
        say(Stage::ReplConf, &["REPLCONF", "listening-port", &introduction.port.to_string()]);
        if let Some(address) = &introduction.address {
            say(Stage::ReplConf, &["REPLCONF", "ip-address", address]);
        }
        say(Stage::ReplConf, &["REPLCONF", "capa", "eof", "capa", "psync2"]);
        match &introduction.position {
            // The offset asked for is that of the first byte that is missing, and they are counted from one on.
            Some(Position { replid, offset }) => {
                say(Stage::Psync, &["PSYNC", replid, &offset.saturating_add(1).to_string()]);
            }
            None => say(Stage::Psync, &["PSYNC", "?", "-1"]),
        }
        let mut ping = Vec::new();
        encode_request(&mut ping, &["PING"]);
        (Self { stage: Stage::Ping, rest }, ping)
    }

    /// Takes the primary's next line, without its end.
    pub(super) fn hear(&mut self, line: &[u8]) -> Result<Heard, Unwilling> {
        // While it prepares its answer it sends empty lines.
        let Some(&kind) = line.first() else { return Ok(Heard::Nothing) };
        match (self.stage, kind) {
            (Stage::Psync, _) => self.decision(line),
            (_, b'+') => Ok(self.go_on()),
            (Stage::Ping, b'-') if asks_for_password(line) => Ok(self.go_on()),
            (Stage::Ping, b'-') => Err(Unwilling::Ping(printable(line))),
            (Stage::Auth, b'-') => Err(Unwilling::Auth(printable(line))),
            // It is older than what we told it of.
            (Stage::ReplConf, b'-') => Ok(self.go_on()),
            (Stage::Ping | Stage::Auth | Stage::ReplConf, _) => Err(self.nonsense(line)),
        }
    }

    fn go_on(&mut self) -> Heard {
        match self.rest.pop_front() {
            Some((stage, request)) => {
                self.stage = stage;
                Heard::Say(request)
            }
            None => Heard::Nothing,
        }
    }

    fn decision(&self, line: &[u8]) -> Result<Heard, Unwilling> {
        if line.first() == Some(&b'-') {
            return Err(Unwilling::Psync(printable(line)));
        }
        let words = std::str::from_utf8(line).map(|line| line.split(' ').collect::<Vec<_>>());
        let position = |replid: &str, offset: &str| {
            let offset = offset.parse::<u64>().ok().filter(|&offset| i64::try_from(offset).is_ok())?;
            Some(Position { replid: replid.to_owned(), offset })
        };
        let heard = match words.as_deref().unwrap_or_default() {
            ["+FULLRESYNC", replid, offset] if is_replid(replid) => {
                position(replid, offset).map(Heard::Everything)
            }
            ["+CONTINUE"] => Some(Heard::Rest(None)),
            ["+CONTINUE", replid] if is_replid(replid) => Some(Heard::Rest(Some((*replid).to_owned()))),
            _ => None,
        };
        heard.ok_or_else(|| self.nonsense(line))
    }

    fn nonsense(&self, line: &[u8]) -> Unwilling {
        Unwilling::Nonsense { to: self.stage.name(), line: printable(line) }
    }
}

/// Whether the error says that the primary is there and wants a password first.
fn asks_for_password(line: &[u8]) -> bool {
    [&b"-NOAUTH"[..], b"-NOPERM", b"-ERR operation not permitted"].iter().any(|text| line.starts_with(text))
}

fn is_replid(word: &str) -> bool {
    word.len() == REPLID_LEN && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The beginning of a line, for an error.
pub(super) fn printable(line: &[u8]) -> String {
    let shown = |&byte: &u8| if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '?' };
    line.iter().take(ECHO_MAX).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REPLID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn request(words: &str) -> Vec<u8> {
        let mut request = Vec::new();
        encode_request(&mut request, &words.split(' ').collect::<Vec<_>>());
        request
    }

    /// What is said, one request after the other, to a primary that answers so; and what it decides.
    fn conversation(
        introduction: &Introduction,
        answers: &[&str],
    ) -> (Vec<Vec<u8>>, Result<Heard, Unwilling>) {
        let (mut handshake, first) = Handshake::begin(introduction);
        let mut said = vec![first];
        let mut last = Ok(Heard::Nothing);
        for answer in answers {
            match handshake.hear(answer.as_bytes()) {
                Ok(Heard::Say(request)) => said.push(request),
                other => last = other,
            }
        }
        (said, last)
    }

    #[test]
    fn a_replica_introduces_itself_step_by_step() {
        let introduction = Introduction { port: 7000, ..Introduction::default() };
        let resync = format!("+FULLRESYNC {REPLID} 14");
        let (said, heard) = conversation(&introduction, &["+PONG", "+OK", "+OK", "", &resync]);
        let expected =
            ["PING", "REPLCONF listening-port 7000", "REPLCONF capa eof capa psync2", "PSYNC ? -1"];
        assert_eq!(said, expected.map(request));
        assert_eq!(heard, Ok(Heard::Everything(Position { replid: REPLID.to_owned(), offset: 14 })));
    }

    #[test]
    fn it_logs_in_and_goes_on_where_it_was() {
        let introduction = Introduction {
            user: Some("u".to_owned()),
            password: Some("secret".to_owned()),
            port: 1,
            address: Some("10.0.0.9".to_owned()),
            position: Some(Position { replid: REPLID.to_owned(), offset: 41 }),
        };
        let wants = "-NOAUTH Authentication required.";
        // An old primary does not know all that it is told.
        let answers = [wants, "+OK", "+OK", "-ERR Unrecognized", "+OK", "", "+CONTINUE"];
        let (said, heard) = conversation(&introduction, &answers);
        let psync = format!("PSYNC {REPLID} 42");
        let expected = [
            "PING",
            "AUTH u secret",
            "REPLCONF listening-port 1",
            "REPLCONF ip-address 10.0.0.9",
            "REPLCONF capa eof capa psync2",
            &psync,
        ];
        assert_eq!(said, expected.map(request));
        assert_eq!(heard, Ok(Heard::Rest(None)));
        let other = format!("+CONTINUE {REPLID}");
        let (_, heard) = conversation(&Introduction::default(), &["+PONG", "+OK", "+OK", &other]);
        assert_eq!(heard, Ok(Heard::Rest(Some(REPLID.to_owned()))));
    }

    #[track_caller]
    fn check_refusal(introduction: &Introduction, answers: &[&str], expected: &str) {
        let (_, heard) = conversation(introduction, answers);
        assert_eq!(heard.expect_err("it is refused").to_string(), expected);
    }

    #[test]
    fn what_a_primary_refuses_is_said() {
        let open = Introduction::default();
        let known = Introduction { password: Some("x".to_owned()), ..Introduction::default() };
        check_refusal(
            &open,
            &["-LOADING Redis is loading"],
            "the primary answers PING with an error: -LOADING Redis is loading",
        );
        check_refusal(
            &known,
            &["+PONG", "-WRONGPASS no"],
            "the primary refuses AUTH (see the options masterauth and masteruser): -WRONGPASS no",
        );
        check_refusal(
            &open,
            &["+PONG", "+OK", "+OK", "-NOMASTERLINK Can't SYNC"],
            "the primary does not take replicas now: -NOMASTERLINK Can't SYNC",
        );
        check_refusal(&open, &["HTTP/1.1"], "the primary's answer to PING makes no sense: HTTP/1.1");
        for answer in ["+FULLRESYNC", "+FULLRESYNC x 1", "+CONTINUE x", "$5", "+OK"] {
            let expected = format!("the primary's answer to PSYNC makes no sense: {answer}");
            check_refusal(&open, &["+PONG", "+OK", "+OK", answer], &expected);
        }
        let far = format!("+FULLRESYNC {REPLID} 9223372036854775808");
        let expected = format!("the primary's answer to PSYNC makes no sense: {far}");
        check_refusal(&open, &["+PONG", "+OK", "+OK", &far], &expected);
    }

    proptest! {
        #[test]
        fn no_line_causes_a_panic_and_errors_stay_short(
            lines in prop::collection::vec(
                prop_oneof!["[+-][A-Z ?0-9]{0,60}", "\\PC{0,400}"], 0..12
            )
        ) {
            let (mut handshake, _) = Handshake::begin(&Introduction::default());
            for line in lines {
                if let Err(error) = handshake.hear(line.as_bytes()) {
                    prop_assert!(error.to_string().len() < ECHO_MAX + 100);
                }
            }
        }
    }
}
