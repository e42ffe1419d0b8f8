-- What scripts see of Lua and of the server: made once per interpreter, and never changed by a script.
--
-- Lua 5.1 has no read-only tables. Scripts are given views instead: empty tables that read through to the real ones and
-- refuse to be written. Whatever would get around a view (rawset, next, a metatable) is replaced here too. What is not
-- named below, scripts do not have.

local server = ...
local _G, error, getmetatable, setmetatable, next, pairs, rawget, rawset, type =
  _G, error, getmetatable, setmetatable, next, pairs, rawget, rawset, type
local pcall, xpcall, collectgarbage, concat = pcall, xpcall, collectgarbage, table.concat
local tonumber, unpack = tonumber, unpack
local plain, ended, load_text = server.plain, server.ended, server.load_text

local READONLY = 'Attempt to modify a readonly table'
local RESULTS_MAX, INTEGER_MAX, PATTERN_MAX = 7999, 2147483647, 4096

-- From a view to what is behind it.
local behind = setmetatable({}, { __mode = 'k' })

local function refuse()
  error(READONLY, 2)
end

-- What a view shows as its metatable.
local sealed
do
  local meta = { __newindex = refuse }
  sealed = setmetatable({}, meta)
  meta.__metatable = sealed
  behind[sealed] = {}
end

local function view(of)
  local made = setmetatable({}, { __index = of, __newindex = refuse, __metatable = sealed })
  behind[made] = of
  return made
end

local function copy(of)
  local made = {}
  for key, value in next, of do
    made[key] = value
  end
  return made
end

-- The results of a protected call: an error of the server as a table, and no error at all for a script that is to end.
local function settled(ok, ...)
  if ok then
    return ok, ...
  end
  ended()
  return ok, plain((...))
end

-- The results of `pcall` as Redis has them: an error of the server is its text.
local function flat(ok, err, ...)
  if not ok and type(err) == 'table' and type(rawget(err, 'err')) == 'string' then
    return ok, rawget(err, 'err')
  end
  return ok, err, ...
end

-- Lua matches patterns by recursion, as deep as the pattern is long.
local function bounded(find)
  return function(text, pattern, ...)
    if type(pattern) == 'string' and #pattern > PATTERN_MAX then
      error('pattern too long', 2)
    end
    return find(text, pattern, ...)
  end
end
for _, name in next, { 'find', 'match', 'gmatch', 'gsub' } do
  _G.string[name] = bounded(_G.string[name])
end

local replaced = {
  rawset = function(of, key, value)
    if behind[of] then
      error(READONLY, 2)
    end
    return rawset(of, key, value)
  end,
  rawget = function(of, key)
    return rawget(behind[of] or of, key)
  end,
  setmetatable = function(of, meta)
    if behind[of] then
      error(READONLY, 2)
    end
    return setmetatable(of, meta)
  end,
  next = function(of, key)
    return next(behind[of] or of, key)
  end,
  pairs = function(of)
    -- The real table is not given away.
    return pairs(behind[of] and copy(behind[of]) or of)
  end,
  pcall = function(f, ...)
    return flat(settled(pcall(f, ...)))
  end,
  unpack = function(list, first, last)
    local from, to = tonumber(first) or 1, tonumber(last) or #list
    -- Lua counts the results in 32 bits, and ends the process where they do not fit.
    if not (to - from < RESULTS_MAX and from >= -INTEGER_MAX - 1 and to <= INTEGER_MAX) then
      error('too many results to unpack', 2)
    elseif first == nil and last == nil then
      return unpack(list)
    end
    return unpack(list, from, to)
  end,
  xpcall = function(f, handler)
    return settled(xpcall(f, function(err)
      return handler(plain(err))
    end))
  end,
  collectgarbage = function(option, argument)
    -- The interpreter is everybody's: how it collects is not for one script to say.
    if option == nil or option == 'collect' or option == 'count' or option == 'step' then
      return collectgarbage(option, argument)
    end
    return 0
  end,
  loadstring = load_text,
  load = function(reader, name)
    local parts = {}
    while true do
      local part = reader()
      if part == nil or part == '' then
        break
      end
      if type(part) ~= 'string' then
        return nil, 'reader function must return a string'
      end
      parts[#parts + 1] = part
    end
    return load_text(concat(parts), name or '=(load)')
  end,
}

local globals = {}
for _, name in next, {
  'assert', 'error', 'gcinfo', 'getmetatable', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring', 'type',
  '_VERSION',
} do
  globals[name] = _G[name]
end
for name, value in next, replaced do
  globals[name] = value
end

local coroutine = copy(_G.coroutine)
local resume = coroutine.resume
coroutine.resume = function(...)
  return settled(resume(...))
end
globals.coroutine = view(coroutine)
for _, name in next, { 'string', 'math', 'table' } do
  globals[name] = view(copy(_G[name]))
end
globals.os = view({ clock = _G.os.clock })
getmetatable('').__metatable = sealed

for name, library in next, server.libraries do
  globals[name] = view(library)
end

setmetatable(globals, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local environment = view(globals)
globals._G = environment

return environment, globals, xpcall
