//! Which words of a request are secrets: not shown by SLOWLOG and MONITOR.
//!
//! Passwords of AUTH, of HELLO and MIGRATE, what ACL SETUSER says of a user, and the values of the options that hold
//! secrets. Redis hides the same ones.

use nuthatch_proto::resp::Args;

/// The options whose values are secrets.
const SECRET_OPTIONS: [&str; 6] = [
    "requirepass",
    "masterauth",
    "masteruser",
    "cluster-secret",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
];

fn is(word: Option<&[u8]>, name: &str) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether the word of that index is a secret.
pub(crate) fn is_secret(args: Args<'_>, index: usize) -> bool {
    let before = |back: usize, name: &str| index.checked_sub(back).is_some_and(|at| is(args.get(at), name));
    match args.get(0).unwrap_or_default().to_ascii_lowercase().as_slice() {
        b"auth" => index > 0,
        b"hello" => index > 2 && (before(1, "auth") || before(2, "auth")),
        b"migrate" => index > 5 && (before(1, "auth") || before(1, "auth2") || before(2, "auth2")),
        b"acl" => index > 1 && is(args.get(1), "setuser"),
        b"config" => {
            let is_value = index > 2 && index % 2 == 1 && is(args.get(1), "set");
            is_value && SECRET_OPTIONS.into_iter().any(|name| before(1, name))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        for (request, expected) in [
            ("AUTH a b", "AUTH * *"),
            ("hello 2 AUTH a b SETNAME auth", "hello 2 AUTH * * SETNAME auth"),
            ("migrate h 1 k 0 9 AUTH p", "migrate h 1 k 0 9 AUTH *"),
            ("migrate h 1 k 0 9 COPY AUTH2 u p KEYS k", "migrate h 1 k 0 9 COPY AUTH2 * * KEYS k"),
            ("acl setuser a +get", "acl setuser * *"),
            ("config set timeout 1 requirepass p", "config set timeout 1 requirepass *"),
            ("config set slowlog-max-len requirepass", "config set slowlog-max-len requirepass"),
            ("set auth b", "set auth b"),
        ] {
            let args: OwnedArgs = request.split(' ').collect();
            let args = args.as_args();
            let shown = (0..args.len()).map(|at| {
                if is_secret(args, at) { "*".into() } else { String::from_utf8_lossy(args.at(at)) }
            });
            assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
        }
    }
}
