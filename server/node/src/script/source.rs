//! A script's text: what it is known by, and what its first line says about it.
//!
//! A script is known by the SHA1 of its whole text. Its first line may be `#!lua flags=...`; then Redis holds it to what it
//! declares, and otherwise it may do everything, as scripts always could.
//!
//! Source: the documentation of Redis, "Eval flags" and "Script flags".

use std::fmt;

use bitflags::bitflags;

/// The SHA1 of a script's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 20]);

impl Digest {
    /// The digest of a text.
    pub(crate) fn of(text: &[u8]) -> Self {
        Self(sha1_smol::Sha1::from(text).digest().bytes())
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads forty hexadecimal digits in any case.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; 20];
        if text.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

bitflags! {
    /// What a script declares.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct ScriptFlags: u8 {
        /// It does not write.
        const NO_WRITES = 1 << 0;
        /// It runs when there is no memory left.
        const ALLOW_OOM = 1 << 1;
        /// It runs on a replica that is out of date.
        const ALLOW_STALE = 1 << 2;
        /// It does not run in a cluster.
        const NO_CLUSTER = 1 << 3;
        /// It uses keys of several slots.
        const ALLOW_CROSS_SLOT_KEYS = 1 << 4;
    }
}

const FLAGS: [(&str, ScriptFlags); 5] = [
    ("no-writes", ScriptFlags::NO_WRITES),
    ("allow-oom", ScriptFlags::ALLOW_OOM),
    ("allow-stale", ScriptFlags::ALLOW_STALE),
    ("no-cluster", ScriptFlags::NO_CLUSTER),
    ("allow-cross-slot-keys", ScriptFlags::ALLOW_CROSS_SLOT_KEYS),
];

/// A script that the server knows.
#[derive(Debug)]
pub(crate) struct Source {
    /// What it is known by.
    pub(crate) digest: Digest,
    text: Box<[u8]>,
    /// Where Lua begins: at the end of the first line, if that is not Lua.
    begin: usize,
    /// What it declares; nothing if it has no such line.
    pub(crate) flags: Option<ScriptFlags>,
}

impl Source {
    /// Reads the first line; an error is a reply.
    pub(crate) fn new(digest: Digest, text: &[u8]) -> Result<Self, String> {
        let (begin, flags) = match shebang(text)? {
            None => (0, None),
            Some((begin, flags)) => (begin, Some(flags)),
        };
        Ok(Self { digest, text: text.into(), begin, flags })
    }

    /// What Lua is to compile.
    pub(crate) fn lua(&self) -> &[u8] {
        &self.text[self.begin..]
    }

    /// How many bytes it takes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

/// What a script's first line declares, if it has such a line and that is right.
pub(super) fn declared(text: &[u8]) -> Option<ScriptFlags> {
    shebang(text).ok().flatten().map(|(_, flags)| flags)
}

fn shebang(text: &[u8]) -> Result<Option<(usize, ScriptFlags)>, String> {
    if !text.starts_with(b"#!") {
        return Ok(None);
    }
    let Some(end) = text.iter().position(|&byte| byte == b'\n') else {
        return Err("ERR Invalid script shebang".to_owned());
    };
    let line = String::from_utf8_lossy(&text[..end]);
    let mut words = line.split_ascii_whitespace();
    match words.next() {
        Some("#!lua") => {}
        Some(engine) => return Err(format!("ERR Unexpected engine in script shebang: {engine}")),
        None => return Err("ERR Invalid engine in script shebang".to_owned()),
    }
    let mut flags = ScriptFlags::empty();
    for word in words {
        let Some(names) = word.strip_prefix("flags=") else {
            return Err(format!("ERR Unknown lua shebang option: {word}"));
        };
        for name in names.split(',').filter(|name| !name.is_empty()) {
            match FLAGS.into_iter().find(|(known, _)| *known == name) {
                Some((_, flag)) => flags |= flag,
                None => return Err(format!("ERR Unexpected flag in script shebang: {name}")),
            }
        }
    }
    Ok(Some((end, flags)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written_and_in_capitals() {
        let digest = Digest::of(b"return 1");
        assert_eq!(digest.to_string(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        assert_eq!(Digest::parse(digest.to_string().to_uppercase().as_bytes()), Some(digest));
        for wrong in ["", "e0e1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8dg", "\u{660}"] {
            assert_eq!(Digest::parse(wrong.as_bytes()), None);
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, Option<ScriptFlags>), &str>) {
        let source = Source::new(Digest::of(b""), text.as_bytes());
        let read = source.as_ref().map(|source| (str::from_utf8(source.lua()).expect("text"), source.flags));
        assert_eq!(read.map_err(String::as_str), expected);
    }

    #[test]
    fn the_first_line_says_what_a_script_declares() {
        check("return 1", Ok(("return 1", None)));
        check("#!lua\nreturn 1", Ok(("\nreturn 1", Some(ScriptFlags::empty()))));
        let both = ScriptFlags::NO_WRITES | ScriptFlags::ALLOW_STALE;
        check("#!lua flags=no-writes,allow-stale\n", Ok(("\n", Some(both))));
        check("#!lua flags=\n", Ok(("\n", Some(ScriptFlags::empty()))));
        check("#!lua return 1", Err("ERR Invalid script shebang"));
        check("#!not-lua\nreturn 1", Err("ERR Unexpected engine in script shebang: #!not-lua"));
        check("#!lua name=x\n", Err("ERR Unknown lua shebang option: name=x"));
        check("#!lua flags=bad\n", Err("ERR Unexpected flag in script shebang: bad"));
    }
}
