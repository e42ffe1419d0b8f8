//! Scripts against a host that knows a few words: what they return, what they see, what they may not do.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};

use super::{Digest, Host, Invocation, Rejected, Source, Vm};

/// Answers to a few words as a server would.
struct Words {
    /// Set by the word `kill`.
    killed: Rc<Cell<bool>>,
}

impl Host for Words {
    fn call(&mut self, args: Args<'_>, protocol: Protocol, reply: &mut Vec<u8>) -> Result<(), Rejected> {
        let mut writer = ReplyWriter::new(reply, protocol);
        match args.at(0) {
            b"echo" => writer.bulk(args.at(1)),
            b"ok" => writer.ok(),
            b"count" => writer.count(args.len()),
            b"null" => writer.null(),
            b"none" => writer.null_array(),
            b"fail" => writer.error("WRONG thing"),
            b"yes" => writer.boolean(true),
            b"half" => writer.double(0.5),
            b"list" => {
                writer.array(2);
                writer.integer(1);
                writer.bulk(b"two");
            }
            b"map" => {
                writer.map(1);
                writer.bulk(b"k");
                writer.bulk(b"v");
            }
            b"kill" => self.killed.set(true),
            _ => return Err(Rejected(b"ERR no such word".to_vec())),
        }
        Ok(())
    }
}

/// One interpreter, and the scripts that were run on it.
struct Bench {
    vm: Vm,
    killed: Rc<Cell<bool>>,
    protocol: Protocol,
}

impl Bench {
    fn new() -> Self {
        let killed = Rc::new(Cell::new(false));
        let seen = Rc::clone(&killed);
        let vm = Vm::new(move || seen.get()).expect("an interpreter");
        Self { vm, killed, protocol: Protocol::Resp2 }
    }

    /// The reply of a script, its line ends as spaces; the script's name in errors as `SHA`.
    fn run(&self, code: &str, words: &[&str], keys: usize) -> String {
        let digest = Digest::of(code.as_bytes());
        let source = Source::new(digest, code.as_bytes()).map(Arc::new).expect("a first line");
        let script = match self.vm.compile(&source) {
            Ok(script) => script,
            Err(error) => return String::from_utf8_lossy(&error).into_owned(),
        };
        let words: OwnedArgs = words.iter().collect();
        let (keys, args) = (words.as_args().take(keys), words.as_args().skip(keys));
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, self.protocol);
        let mut host = Words { killed: Rc::clone(&self.killed) };
        self.vm.run(&Invocation { script: &script, keys, args }, &mut host, &mut reply);
        self.vm.tidy();
        let text = String::from_utf8_lossy(&out).replace("\r\n", " ");
        text.trim_end().replace(&digest.to_string(), "SHA")
    }

    #[track_caller]
    fn check(&self, code: &str, expected: &str) {
        assert_eq!(self.run(code, &[], 0), expected, "{code}");
    }

    #[track_caller]
    fn check_all(&self, cases: &[(&str, &str)]) {
        for (code, expected) in cases {
            self.check(code, expected);
        }
    }
}

#[test]
fn values_of_lua_become_replies() {
    let mut bench = Bench::new();
    let cases = [
        ("return 'hello'", "$5 hello"),
        ("return 100.9", ":100"),
        ("return -3.9", ":-3"),
        ("return true", ":1"),
        ("return {1, 'b', {true}, nil, 3}", "*3 :1 $1 b *1 :1"),
        ("return {ok = 'fine\\r\\nthen'}", "+fine  then"),
        ("return {err = 'MY error'}", "-MY error"),
        ("return {{err = 'MY error'}}", "*1 -MY error"),
        ("return _G", "*0"),
        ("local t = {} t[1] = t return t", "-ERR reached lua stack limit"),
    ];
    bench.check_all(&cases);
    bench.check_all(&[
        ("return", "$-1"),
        ("return false", "$-1"),
        ("return {double = 0.5}", "$3 0.5"),
        ("return {map = {k = 'v'}}", "*2 $1 k $1 v"),
        ("return {big_number = '12'}", "$2 12"),
        ("return {verbatim_string = {format = 'txt', string = 'x'}}", "$1 x"),
    ]);
    bench.protocol = Protocol::Resp3;
    bench.check_all(&cases);
    bench.check_all(&[
        ("return", "_"),
        ("return true", ":1"),
        ("redis.setresp(3) return true", "#t"),
        ("return true", ":1"),
        ("return {double = 0.5}", ",0.5"),
        ("return {map = {k = 'v'}}", "%1 $1 k $1 v"),
        ("return {set = {k = true}}", "~1 $1 k"),
        ("return {big_number = '12'}", "(12"),
        ("return {verbatim_string = {format = 'txt', string = 'x'}}", "=5 txt:x"),
    ]);
}

#[test]
fn replies_become_values_of_lua() {
    let bench = Bench::new();
    bench.check_all(&[
        ("return type(redis.call('count', 'x', 1, 2.5))", "$6 number"),
        ("return redis.call('echo', 2.5)", "$3 2.5"),
        ("return redis.call('echo', 12)", "$2 12"),
        ("return redis.call('ok').ok", "$2 OK"),
        ("return {redis.call('null') == false, redis.call('none') == false}", "*2 :1 :1"),
        ("local l = redis.call('list') return {#l, l[1] + 1, l[2]}", "*3 :2 :2 $3 two"),
        ("return redis.call('map')", "*2 $1 k $1 v"),
        ("redis.setresp(3) return redis.call('map').map.k", "$1 v"),
        ("redis.setresp(3) return redis.call('half').double * 4", ":2"),
        ("redis.setresp(3) return {redis.call('null') == nil, redis.call('yes') == true}", "*2 :1 :1"),
    ]);
    assert_eq!(
        bench.run("return {KEYS[1], #KEYS, ARGV[1], #ARGV}", &["k", "a", "b"], 1),
        "*4 $1 k :1 $1 a :2"
    );
}

#[test]
fn errors_say_which_script_and_where() {
    let bench = Bench::new();
    bench.check_all(&[
        ("return redis.call('fail')", "-WRONG thing script: SHA, on @user_script:1."),
        ("\n\nredis.call('huh')", "-ERR no such word script: SHA, on @user_script:3."),
        ("return redis.pcall('fail')", "-WRONG thing"),
        ("return redis.pcall('fail').err", "$11 WRONG thing"),
        ("error('oops')", "-ERR user_script:1: oops script: SHA, on @user_script:1."),
        ("error({err = 'MY error'})", "-MY error script: SHA, on @user_script:1."),
        ("return redis.error_reply('MY error')", "-MY error"),
        ("return redis.status_reply('fine')", "+fine"),
        ("redis.call()", "-ERR Please specify at least one argument for this redis lib call script: SHA, on @user_script:1."),
        ("redis.call('echo', {})", "-ERR Lua redis lib command arguments must be strings or integers script: SHA, on @user_script:1."),
        ("return pcall(redis.call, 'fail')", "$-1"),
        ("local ok, e = pcall(redis.call, 'fail') return {type(e), e}", "*2 $6 string $11 WRONG thing"),
        ("local ok, e = pcall(error, 'x') return e", "$1 x"),
        ("local ok, e = pcall(bit.band) return e", "$54 bad argument #1 to '?' (number expected, got no value)"),
        ("local ok, e = xpcall(function() redis.call('fail') end, function(e) return e.err end) return e", "$11 WRONG thing"),
        ("return redis.sha1hex('')", "$40 da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("return redis.log(redis.LOG_DEBUG, 'x')", "$-1"),
    ]);
    let compile = bench.run("return {", &[], 0);
    assert!(compile.starts_with("ERR Error compiling script (new function): user_script:1: "), "{compile}");
}

#[test]
fn what_scripts_see_they_cannot_change() {
    let bench = Bench::new();
    for code in [
        "x = 1",
        "redis.call = 1",
        "string.rep = 1",
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'x', 1)",
        "setmetatable(_G, {})",
        "getmetatable(_G).__index = {}",
        "getmetatable('').__index = {}",
        "getmetatable(getmetatable(_G)).__newindex = nil",
        "loadstring('x = 1')()",
        "load(function() return nil end) KEYS = 1",
        "coroutine.wrap(function() y = 1 end)()",
    ] {
        let reply = bench.run(code, &[], 0);
        assert!(reply.contains("Attempt to modify a readonly table script: SHA"), "{code}: {reply}");
    }
    for name in
        ["x", "print", "dofile", "loadfile", "io", "require", "setfenv", "getfenv", "newproxy", "debug"]
    {
        let reply = bench.run(&format!("return {name}"), &[], 0);
        let expected = format!(
            "-ERR user_script:1: Script attempted to access nonexistent global variable '{name}' script: SHA, on @user_script:1."
        );
        assert_eq!(reply, expected);
    }
    // What `pairs` and `next` show is a copy.
    bench.check("for k in pairs(redis) do if k == 'call' then return 1 end end", ":1");
    bench.check("local _, real = pairs(redis) real.call = 1 return type(redis.call)", "$8 function");
    bench.check("return {type(os.clock()), os.time}", "*1 $6 number");
    bench.check("return loadstring('\\27Lua') == nil", ":1");
    bench.check("return loadstring('return redis.call(\"echo\", \"x\")')()", "$1 x");
}

#[test]
fn nothing_of_a_script_is_left_for_the_next() {
    let bench = Bench::new();
    assert_eq!(bench.run("KEYS[1] = 'changed' return KEYS[1]", &["k"], 1), "$7 changed");
    bench.check("return #KEYS", ":0");
    bench.check("redis.setresp(3) collectgarbage('stop') return collectgarbage('count') > 0", ":1");
    bench.check("return true", ":1");
}

#[test]
fn no_script_outlives_its_end() {
    let bench = Bench::new();
    for code in [
        "redis.call('kill') while true do end",
        "redis.call('kill') while true do pcall(function() while true do end end) end",
        "redis.call('kill') while true do xpcall(function() while true do end end, function() return 1 end) end",
        "redis.call('kill') local f = function() while true do end end while true do coroutine.resume(coroutine.create(f)) end",
    ] {
        let reply = bench.run(code, &[], 0);
        assert!(reply.contains("Script killed by user with SCRIPT KILL."), "{code}: {reply}");
        bench.killed.set(false);
        bench.check("return 1", ":1");
    }
}

#[test]
fn memory_has_a_limit_and_the_interpreter_goes_on() {
    let bench = Bench::new();
    // A hundred megabytes and more in strings of their own, and as many in one.
    let code =
        "local t = {} for i = 1, 120 do t[i] = string.rep('x', 1048576) .. i end return #table.concat(t)";
    bench.check(code, ":125829372");
    let reply = bench.run("local s = string.rep('x', 1024 * 1024) while true do s = s .. s end", &[], 0);
    assert!(reply.contains("not enough memory"), "{reply}");
    assert!(bench.vm.memory() < 64 * 1024 * 1024, "what it left is collected");
    // What it left is garbage, and no burden of the next one.
    bench.check("return #string.rep('x', 32 * 1024 * 1024)", ":33554432");
    let reply = bench.run("local function f() return f() + 1 end return f()", &[], 0);
    assert!(reply.contains("stack overflow"), "{reply}");
    let code = "local s, t = string.rep('x', 1048576), {} for i = 1, 600 do t[i] = s end return t";
    let reply = bench.run(code, &[], 0);
    assert_eq!(reply, "-ERR the reply of the script is too long");
}

#[test]
fn any_number_of_scripts_is_kept_compiled() {
    let bench = Bench::new();
    for number in 0..10_000 {
        bench.check(&format!("return {number}"), &format!(":{number}"));
    }
    let source = Source::new(Digest::of(b"return 7"), b"return 7").map(Arc::new).expect("a first line");
    assert!(bench.vm.compiled(&source, 0).is_some() && bench.vm.compiled(&source, 1).is_none());
}
