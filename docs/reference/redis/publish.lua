-- What every script of a partition begins with: what the partition knows, made anew where anything
-- may have been lost. The partition's keys are one slot's, so a script sees all of it at once.
--
--   meta   a hash:
--            server    replication id of the server that wrote here last
--            last      number of the newest message
--            commands, time      of the newest message: see `now()`
--            floor, floor_commands, floor_time   nothing is known up to here
--            mark, mark_commands, mark_time      the floor to be, once it is old enough
--            topics    how many topics the index holds
--   index  a sorted set: topics that a message behind the floor went to, by its number
--   log    a stream for each topic: its messages, each with the number of the one before it

local function text(number)
  return string.format('%.0f', number)
end

-- The server's own account of now. Its count of commands orders everything that it ever did, as
-- long as nobody resets its statistics; its clock does as long as nobody sets that back. Either
-- alone would do; what came before is what came before by both.
local function now()
  local info = redis.call('INFO', 'replication') .. redis.call('INFO', 'stats')
  local time = redis.call('TIME')
  return {
    server = string.match(info, 'master_replid:(%x+)'),
    role = string.match(info, 'role:(%a+)'),
    commands = tonumber(string.match(info, 'total_commands_processed:(%d+)')),
    time = tonumber(time[1]) * 1000000 + tonumber(time[2]),
  }
end

local FIELDS = {
  'server', 'last', 'commands', 'time', 'floor', 'floor_commands', 'floor_time', 'mark',
  'mark_commands', 'mark_time', 'topics',
}

local function read(meta)
  local values = redis.call('HMGET', meta, unpack(FIELDS))
  local state = { server = values[1] }
  for place = 2, #FIELDS do
    state[FIELDS[place]] = tonumber(values[place]) or 0
  end
  return state
end

local function write(meta, state)
  local values = {}
  for _, field in ipairs(FIELDS) do
    values[#values + 1] = field
    values[#values + 1] = field == 'server' and state.server or text(state[field])
  end
  redis.call('HSET', meta, unpack(values))
end

-- Read the partition's state. Where another server wrote it (a failover, a restart, a slot that
-- moved), where the index is not what it was, or the statistics were reset, whoever stands before
-- now may have missed something.
local function load(meta, index, at)
  local state = read(meta)
  local known = state.server == at.server and at.commands >= state.commands
  if known and redis.call('ZCARD', index) == state.topics then
    return state
  end
  redis.call('UNLINK', index)
  -- Numbers go on above all that were ever given, also where the hash that knew them is gone.
  local last = math.max(state.last, at.time)
  state = {
    server = at.server, last = last, commands = at.commands, time = math.max(state.time, at.time),
    floor = last, floor_commands = at.commands, floor_time = math.max(state.time, at.time),
    mark = last, mark_commands = at.commands, mark_time = math.max(state.time, at.time), topics = 0,
  }
  write(meta, state)
  return state
end
-- Send a message to a topic: number it, keep it, push it to who listens.
-- KEYS meta, index, log (the topic's, and the name of its channel)
-- ARGV topic, message (JSON), most messages kept of a topic, seconds to keep them
-- Returns the message's number.

local meta, index, log = KEYS[1], KEYS[2], KEYS[3]
local topic, message, most, seconds = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local at = now()
local state = load(meta, index, at)

if at.time - state.mark_time >= seconds * 1000000 then
  -- All up to the mark is old enough to be forgotten.
  state.floor, state.floor_commands, state.floor_time = state.mark, state.mark_commands, state.mark_time
  redis.call('ZREMRANGEBYSCORE', index, '-inf', text(state.floor))
  state.mark, state.mark_commands, state.mark_time = state.last, state.commands, math.max(state.time, at.time)
end

local before = tonumber(redis.call('ZSCORE', index, topic)) or 0
state.last = state.last + 1
state.commands = at.commands
state.time = math.max(state.time, at.time)
redis.call('ZADD', index, text(state.last), topic)
state.topics = redis.call('ZCARD', index)
write(meta, state)

local entry = { text(state.last) .. '-0', 'before', text(before), 'commands', text(at.commands), 'time', text(at.time), 'message', message }
local added = redis.pcall('XADD', log, 'MAXLEN', '~', most, unpack(entry))
if type(added) == 'table' and added.err then
  -- What is there is no stream, or one of other numbers. The chain of numbers tells.
  redis.call('DEL', log)
  redis.call('XADD', log, unpack(entry))
end
redis.call('EXPIRE', log, seconds * 2)
redis.call('SPUBLISH', log, '[' .. text(state.last) .. ',' .. text(before) .. ',' .. text(at.commands) .. ',' .. text(at.time) .. ',' .. message .. ']')
return text(state.last)
