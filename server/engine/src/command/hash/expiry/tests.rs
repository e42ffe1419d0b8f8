//! What deadlines of fields do, as transcripts. The bench's clock begins at 1,000,000 ms.

use crate::testing::Bench;

#[test]
fn setting_reading_and_removing() {
    let mut bench = Bench::new();
    bench.check_all(&[
        ("HEXPIRE none 10 FIELDS 2 a b", "[:-2 :-2]"),
        ("HTTL none FIELDS 1 a", "[:-2]"),
        ("HPERSIST none FIELDS 1 a", "[:-2]"),
        ("HSET h a 1 b 2 c 3", ":3"),
        ("HEXPIRE h 10 FIELDS 2 a z", "[:1 :-2]"),
        ("HTTL h FIELDS 3 a b z", "[:10 :-1 :-2]"),
        ("HPTTL h FIELDS 1 a", "[:10000]"),
        ("HEXPIRETIME h FIELDS 1 a", "[:1010]"),
        ("HPEXPIRETIME h FIELDS 1 a", "[:1010000]"),
        ("HPEXPIRE h 1001 fields 2 b b", "[:1 :1]"),
        ("HTTL h FIELDS 1 b", "[:2]"),
        ("HEXPIREAT h 2000 FIELDS 1 b", "[:1]"),
        ("HPTTL h FIELDS 1 b", "[:1000000]"),
        ("HPEXPIREAT h 1000001 FIELDS 1 b", "[:1]"),
        ("HPTTL h FIELDS 1 b", "[:1]"),
        ("HPERSIST h FIELDS 3 b c z", "[:1 :-1 :-2]"),
        ("HPERSIST h FIELDS 1 b", "[:-1]"),
        ("OBJECT ENCODING h", "listpackex"),
    ]);
    let effects = bench.effects();
    assert_eq!(effects[3], "hdeadline h a @1010000");
    assert_eq!(effects.last().map(String::as_str), Some("hdeadline h b"));
}

#[test]
fn conditions() {
    let mut bench = Bench::new();
    bench.check_all(&[
        ("HSET h a 1 b 2", ":2"),
        ("HEXPIRE h 10 XX FIELDS 1 a", "[:0]"),
        ("HEXPIRE h 10 GT FIELDS 1 a", "[:0]"),
        ("HEXPIREAT h 1 XX FIELDS 1 a", "[:0]"),
        ("HEXPIRE h 10 nx FIELDS 1 a", "[:1]"),
        ("HEXPIRE h 20 NX FIELDS 2 a b", "[:0 :1]"),
        ("HEXPIRE h 15 GT FIELDS 2 a b", "[:1 :0]"),
        ("HEXPIRE h 15 LT FIELDS 2 a b", "[:0 :1]"),
        ("HTTL h FIELDS 2 a b", "[:15 :15]"),
        ("HEXPIREAT h 1 NX FIELDS 1 a", "[:0]"),
        ("HPERSIST h FIELDS 1 a", "[:1]"),
        ("HEXPIREAT h 1 LT FIELDS 2 a b", "[:2 :2]"),
        ("EXISTS h", ":0"),
    ]);
}

#[test]
fn wrong_arguments_change_nothing() {
    let mut bench = Bench::new();
    bench.check_all(&[("SET s v", "+OK"), ("HSET h a 1", ":1")]);
    bench.effects();
    let position = "-ERR Mandatory argument FIELDS is missing or not at the right position";
    let mismatch = "-ERR The `numfields` parameter must match the number of arguments";
    for name in ["HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT"] {
        let not_positive = "-ERR Parameter `numFields` should be greater than 0";
        for (arguments, error) in [
            ("s x FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("h x FIELDS 1 a", "-ERR value is not an integer or out of range"),
            ("h -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
            ("none 10 NOPE 1 a", position),
            ("h 10 NX XX FIELDS 1 a", position),
            ("h 10 FIELDS 0 a", not_positive),
            ("h 10 FIELDS -1 a", not_positive),
            ("h 10 FIELDS x a", not_positive),
            ("h 10 FIELDS 2 a", mismatch),
            ("h 10 FIELDS 1 a b", mismatch),
            ("h 10 NX FIELDS 1", mismatch),
        ] {
            bench.check(&format!("{name} {arguments}"), error);
        }
        let invalid = format!("-ERR invalid expire time in '{}' command", name.to_lowercase());
        bench.check(&format!("{name} h 9223372036854775807 FIELDS 1 a"), &invalid);
    }
    for name in ["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"] {
        for (arguments, error) in [
            ("s FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("h NOPE 1 a", position),
            ("h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
            ("h FIELDS x a", "-ERR Number of fields must be a positive integer"),
            ("h FIELDS 2 a", mismatch),
        ] {
            bench.check(&format!("{name} {arguments}"), error);
        }
    }
    assert!(bench.effects().is_empty());
    bench.check_all(&[
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "-ERR invalid expire time in 'hpexpireat' command"),
        ("HPEXPIREAT h 70368744177663 FIELDS 1 a", "[:1]"),
        ("HEXPIREAT h 70368744178 FIELDS 1 a", "-ERR invalid expire time in 'hexpireat' command"),
        ("HEXPIREAT h 70368744177 FIELDS 1 a", "[:1]"),
        ("HPEXPIRETIME h FIELDS 1 a", "[:70368744177000]"),
    ]);
}

#[test]
fn a_new_value_clears_the_deadline_and_a_sum_keeps_it() {
    let mut bench = Bench::new();
    bench.check_all(&[
        ("HSET h a 1 b 2 c 3 d 4", ":4"),
        ("HEXPIRE h 100 FIELDS 4 a b c d", "[:1 :1 :1 :1]"),
        ("HSET h a 5", ":0"),
        ("HMSET h b 5", "+OK"),
        ("HINCRBY h c 1", ":4"),
        ("HINCRBYFLOAT h d 0.5", "4.5"),
        ("HSETNX h c 9", ":0"),
        ("HTTL h FIELDS 4 a b c d", "[:-1 :-1 :100 :100]"),
        ("HDEL h c", ":1"),
        ("HSET h c 1", ":1"),
        ("HTTL h FIELDS 1 c", "[:-1]"),
        ("COPY h copy", ":1"),
        ("RENAME h moved", "+OK"),
        ("HTTL copy FIELDS 1 d", "[:100]"),
        ("HTTL moved FIELDS 1 d", "[:100]"),
    ]);
    assert_eq!(bench.effects()[8..11], ["hset h a 5", "hdeadline h a", "hset h b 5"]);
}

#[test]
fn nobody_sees_an_expired_field() {
    let mut bench = Bench::new();
    let full: String = (0..600).map(|n| format!(" f{n} {n}")).collect();
    for fields in [" f0 0 f1 1 f2 2", &full] {
        bench.check("DEL h", ":0");
        bench.run(&format!("HSET h{fields}"));
        let len = fields.split_whitespace().count() / 2;
        bench.check("HPEXPIRE h 10 FIELDS 2 f0 f1", "[:1 :1]");
        bench.now += 9;
        bench.check_all(&[("HLEN h", &format!(":{len}")), ("HGET h f0", "0")]);
        bench.now += 1;
        bench.effects();
        bench.check_all(&[
            ("HGET h f0", "nil"),
            ("HMGET h f1 f2", "[nil 2]"),
            ("HLEN h", &format!(":{}", len - 2)),
            ("HEXISTS h f0", ":0"),
            ("HSTRLEN h f1", ":0"),
            ("HTTL h FIELDS 1 f0", "[:-2]"),
            ("HSCAN h 0 MATCH f[01] COUNT 10000", "[0 []]"),
            ("HINCRBY h f0 7", ":7"),
            ("HTTL h FIELDS 1 f0", "[:-1]"),
        ]);
        assert_eq!(bench.effects(), ["hdel h f0", "hdel h f1", "hset h f0 7"]);
        bench.run("DEL h");
        bench.effects();
    }
    bench.check_all(&[("HSET h a 1", ":1"), ("HPEXPIRE h 10 FIELDS 1 a", "[:1]")]);
    bench.now += 10;
    bench.check_all(&[("HGETALL h", "[]"), ("EXISTS h", ":0"), ("HSET h a 2", ":1"), ("HGET h a", "2")]);
}
