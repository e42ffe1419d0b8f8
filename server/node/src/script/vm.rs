//! One thread's Lua interpreter.
//!
//! It is made when the thread runs its first script, and kept. Between two scripts nothing of the first is left: what
//! scripts see is read-only (`prelude.lua`), and `KEYS` and `ARGV` are set anew. Its memory is bounded ([`MEMORY_MAX`]); a
//! script that wants more fails.
//!
//! Every so many instructions the interpreter looks whether the script is to end ([`Running`]). That ends it wherever it
//! is: no `pcall` keeps it.

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the interpreter are open: others may come")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use mlua::{
    Error, Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState,
    chunk::ChunkMode,
};
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::double::DoubleText;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};

use super::failure::{self, Failure, Killed, Raised};
use super::source::Source;
use super::{api, bit, cjson, cmsgpack, packing, values};

/// How much memory an interpreter may take: two of the longest strings. Lua makes a long one out of pieces, beside them.
const MEMORY_MAX: usize = 1024 * 1024 * 1024;

/// What a script may leave behind for the next one; beyond it is collected when the script is answered.
const LEFT_MAX: usize = 64 * 1024 * 1024;

/// How often it is collected at once. The first time takes what is garbage; the buffer in which Lua puts strings together is
/// only halved each time.
const COLLECTIONS_MAX: usize = 6;

/// After how many instructions of Lua it is looked whether the script is to end.
const LOOK_EVERY: u32 = 100_000;

/// How long the arguments of one command may be together.
const ARGUMENTS_MAX: usize = 512 * 1024 * 1024;

const PRELUDE: &str = include_str!("prelude.lua");

/// A command that was refused before it ran: the code and the message.
pub(crate) struct Rejected(pub(crate) Vec<u8>);

/// Who runs the commands of a script.
pub(crate) trait Host {
    /// Runs a command and appends its reply, in that protocol.
    fn call(&mut self, args: Args<'_>, protocol: Protocol, reply: &mut Vec<u8>) -> Result<(), Rejected>;
}

/// A script that can be run.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) source: Arc<Source>,
    function: Function,
}

/// What a script is called with.
pub(crate) struct Invocation<'a> {
    pub(crate) script: &'a Script,
    pub(crate) keys: Args<'a>,
    pub(crate) args: Args<'a>,
}

/// One thread's interpreter.
pub(crate) struct Vm {
    lua: Lua,
    /// What scripts see, and what is behind it.
    environment: Table,
    globals: Table,
    /// The table `redis`.
    redis: Table,
    protected: Function,
    handler: Function,
    /// What was compiled, by digest. A table of Lua's, because it holds no more than 8,000 values for Rust.
    functions: Table,
    /// How often all scripts had been forgotten when these were compiled.
    flushed: Cell<u64>,
    /// How much memory was left when it was collected last.
    floor: Cell<usize>,
    /// The protocol that the running script has chosen.
    protocol: Rc<Cell<Protocol>>,
}

/// Appends an argument of `redis.call`.
fn push_argument(args: &mut OwnedArgs, value: &Value) -> Result<(), Error> {
    let mut text = DoubleText::default();
    match value {
        Value::String(string) => args.push(&string.as_bytes()),
        Value::Integer(number) => args.push(number.to_string().as_bytes()),
        Value::Number(number) => args.push(text.format(*number).as_bytes()),
        _ => return Err(failure::raise("Lua redis lib command arguments must be strings or integers")),
    }
    Ok(())
}

/// The arguments of `redis.call` as those of a command.
fn arguments(values: &MultiValue) -> Result<OwnedArgs, Error> {
    if values.is_empty() {
        return Err(api::no_arguments());
    }
    let length = |value: &Value| value.as_string().map_or(32, |text| text.as_bytes().len());
    if values.iter().map(length).sum::<usize>() > ARGUMENTS_MAX {
        return Err(failure::raise("the arguments of a command are too long"));
    }
    let mut args = OwnedArgs::default();
    values.iter().try_for_each(|value| push_argument(&mut args, value))?;
    Ok(args)
}

/// A run's connection to its host, and the buffer that replies are written into.
struct Wire<'h> {
    host: &'h mut dyn Host,
    reply: Vec<u8>,
}

impl Wire<'_> {
    /// `redis.pcall`: what went wrong is a value.
    fn call(&mut self, lua: &Lua, values: &MultiValue, protocol: Protocol) -> Result<Value, Error> {
        let args = match arguments(values) {
            Ok(args) => args,
            Err(error) => return failure::plain(lua, Value::Error(Box::new(error))),
        };
        self.reply.clear();
        let value = match self.host.call(args.as_args(), protocol, &mut self.reply) {
            Ok(()) => values::from_reply(lua, &self.reply)?,
            Err(Rejected(text)) => Value::Table(failure::table(lua, &text, true)?),
        };
        self.reply.shrink_to(64 * 1024);
        Ok(value)
    }

    /// `redis.call`: what went wrong is raised.
    fn call_or_raise(&mut self, lua: &Lua, values: &MultiValue, protocol: Protocol) -> Result<Value, Error> {
        let value = self.call(lua, values, protocol)?;
        if let Value::Table(table) = &value
            && let Value::String(text) = table.raw_get("err")?
        {
            let counted = matches!(table.raw_get("ignore_error_stats_update")?, Value::Boolean(true));
            return Err(Error::external(Raised { text: text.as_bytes().to_vec(), counted }));
        }
        Ok(value)
    }
}

impl Vm {
    /// An interpreter without any script; `is_ended` says whether the script that runs is to end.
    pub(crate) fn new(is_ended: impl Fn() -> bool + 'static) -> Result<Self, Error> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new())?;
        let is_ended = Rc::new(is_ended);
        let protocol = Rc::new(Cell::new(Protocol::Resp2));
        let redis = api::table(&lua, &protocol)?;
        let server = server_table(&lua, Rc::clone(&is_ended), redis.clone())?;
        let prelude = lua.load(PRELUDE).set_name(failure::PRELUDE_NAME).set_mode(ChunkMode::Text);
        let (environment, globals, protected): (Table, Table, Function) = prelude.call(server.clone())?;
        // What scripts load themselves sees what they see.
        server.raw_set("environment", &environment)?;
        let handler = lua.create_function(|lua, error: Value| failure::last(lua, error))?;
        let look = HookTriggers::new().every_nth_instruction(LOOK_EVERY);
        lua.set_global_hook(look, move |_, _| {
            if is_ended() { Err(Error::external(Killed)) } else { Ok(VmState::Continue) }
        })?;
        lua.set_memory_limit(MEMORY_MAX)?;
        let functions = lua.create_table()?;
        Ok(Self {
            lua,
            environment,
            globals,
            redis,
            protected,
            handler,
            functions,
            floor: Cell::new(0),
            flushed: Cell::new(0),
            protocol,
        })
    }

    /// How many bytes it takes.
    pub(crate) fn memory(&self) -> usize {
        self.lua.used_memory()
    }

    /// A script that was compiled here, unless all have been forgotten since.
    pub(crate) fn compiled(&self, source: &Arc<Source>, flushed: u64) -> Option<Script> {
        if self.flushed.replace(flushed) != flushed {
            self.forget();
            self.lua.gc_collect().ok();
            return None;
        }
        let function = self.functions.raw_get(self.lua.create_string(source.digest.bytes()).ok()?).ok()?;
        Some(Script { source: Arc::clone(source), function })
    }

    /// Forgets what was compiled.
    fn forget(&self) {
        // It takes no memory, and so cannot fail for the lack of it.
        self.functions.clear().ok();
    }

    /// Compiles a script; an error is a reply.
    pub(crate) fn compile(&self, source: &Arc<Source>) -> Result<Script, Vec<u8>> {
        let compiled = match self.load(source) {
            Err(Error::MemoryError(_)) => {
                // Scripts that wait to be run again can be compiled again.
                self.forget();
                self.lua.gc_collect().ok();
                self.load(source)
            }
            loaded => loaded,
        };
        let kept = compiled.and_then(|function| {
            self.functions.raw_set(self.lua.create_string(source.digest.bytes())?, &function)?;
            Ok(function)
        });
        match kept {
            Ok(function) => Ok(Script { source: Arc::clone(source), function }),
            Err(error) => {
                let message = failure::message(&error);
                Err(format!("ERR Error compiling script (new function): {message}").into_bytes())
            }
        }
    }

    fn load(&self, source: &Source) -> Result<Function, Error> {
        let chunk = self.lua.load(source.lua()).set_name("@user_script").set_mode(ChunkMode::Text);
        chunk.set_environment(self.environment.clone()).into_function()
    }

    /// Runs a script and writes its reply. Answers whether that is an error which has been counted already.
    pub(crate) fn run(
        &self,
        invocation: &Invocation<'_>,
        host: &mut dyn Host,
        reply: &mut ReplyWriter<'_>,
    ) -> bool {
        self.protocol.set(Protocol::Resp2);
        let start = reply.mark();
        let outcome = self.call(invocation, host);
        match outcome {
            Ok(Ok(value)) => match values::to_reply(&value, self.protocol.get(), reply) {
                Ok(counted) => counted,
                Err(unfit) => {
                    reply.rewind(start);
                    reply.error(&unfit.to_string());
                    false
                }
            },
            Ok(Err(failure)) => {
                reply.error_bytes(&failure.reply(&invocation.script.source.digest.to_string()));
                failure.counted
            }
            Err(error) => {
                reply.error(&format!("ERR {}", failure::message(&error)));
                false
            }
        }
    }

    /// Collects what a script has left, if that is much; whether it was. To be called after each, because Lua 5.1 does not look
    /// for garbage when there is no more memory to be had, so that the next one would fail.
    pub(crate) fn tidy(&self) -> bool {
        if self.memory() <= self.floor.get() + LEFT_MAX {
            return false;
        }
        for _ in 0..COLLECTIONS_MAX {
            let before = self.memory();
            self.lua.gc_collect().ok();
            if self.memory() + LEFT_MAX / 8 > before {
                break;
            }
        }
        // What is still there are the scripts themselves: nobody is to look for garbage in them after each of them.
        self.floor.set(self.memory());
        true
    }

    /// Calls a script: what it returned, or what ended it.
    fn call(
        &self,
        invocation: &Invocation<'_>,
        host: &mut dyn Host,
    ) -> Result<Result<Value, Failure>, Error> {
        self.globals.raw_set("KEYS", self.list(invocation.keys)?)?;
        self.globals.raw_set("ARGV", self.list(invocation.args)?)?;
        let wire = RefCell::new(Wire { host, reply: Vec::new() });
        let protocol = &self.protocol;
        let (ok, value): (bool, Value) = self.lua.scope(|scope| {
            let call = scope.create_function(|lua, values: MultiValue| {
                wire.try_borrow_mut().map_err(Error::external)?.call_or_raise(lua, &values, protocol.get())
            })?;
            let pcall = scope.create_function(|lua, values: MultiValue| {
                wire.try_borrow_mut().map_err(Error::external)?.call(lua, &values, protocol.get())
            })?;
            self.redis.raw_set("call", call)?;
            self.redis.raw_set("pcall", pcall)?;
            self.protected.call((&invocation.script.function, &self.handler))
        })?;
        if ok {
            return Ok(Ok(value));
        }
        match value {
            Value::Table(table) => Failure::read(&table).map(Err),
            // The handler itself failed: there was no memory left for it.
            other => Err(Error::runtime(other.to_string()?)),
        }
    }

    fn list(&self, args: Args<'_>) -> Result<Table, Error> {
        let list = self.lua.create_table_with_capacity(args.len(), 0)?;
        for (index, arg) in args.iter().enumerate() {
            list.raw_set(index + 1, self.lua.create_string(arg)?)?;
        }
        Ok(list)
    }
}

/// What the prelude is given.
fn server_table(lua: &Lua, is_ended: Rc<impl Fn() -> bool + 'static>, redis: Table) -> Result<Table, Error> {
    let libraries = lua.create_table()?;
    libraries.raw_set("redis", redis)?;
    libraries.raw_set("bit", bit::table(lua)?)?;
    libraries.raw_set("cjson", cjson::table(lua)?)?;
    libraries.raw_set("cmsgpack", cmsgpack::table(lua)?)?;
    libraries.raw_set("struct", packing::table(lua)?)?;
    let server = lua.create_table()?;
    server.raw_set("libraries", libraries)?;
    server.raw_set("plain", lua.create_function(failure::plain)?)?;
    let ended = move |_: &Lua, ()| if is_ended() { Err(Error::external(Killed)) } else { Ok(()) };
    server.raw_set("ended", lua.create_function(ended)?)?;
    let own = server.clone();
    let load_text =
        lua.create_function(move |lua, (text, name): (mlua::LuaString, Option<mlua::LuaString>)| {
            // Compiled code is not taken: it could do anything to the interpreter.
            let bytes = text.as_bytes().to_vec();
            let name = name.as_ref().unwrap_or(&text).to_string_lossy();
            let chunk = lua.load(bytes).set_name(name).set_mode(ChunkMode::Text);
            match chunk.set_environment(own.raw_get("environment")?).into_function() {
                Ok(function) => Ok((Value::Function(function), None)),
                Err(error) => Ok((Value::Nil, Some(failure::message(&error)))),
            }
        })?;
    server.raw_set("load_text", load_text)?;
    Ok(server)
}
