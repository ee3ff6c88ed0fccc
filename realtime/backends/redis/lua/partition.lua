-- The common beginning of all scripts: the partition's state, started over if a message may have
-- been lost. The partition's keys are in one slot, so a script sees all of them at once.
--
--   meta   a hash:
--            server    replication id of the server that wrote here last
--            last      number of the newest message
--            commands, time      of the newest message: see `now()`
--            floor, floor_commands, floor_time   messages up to here are forgotten
--            mark, mark_commands, mark_time      the next floor, once it is old enough
--            topics    how many topics the index holds
--   index  a sorted set: topics with a message behind the floor, by the newest one's number
--   log    a list for each topic, the newest at its end: "number before commands time message",
--          where `before` is the number of the topic's previous message

local function text(number)
  return string.format('%.0f', number)
end

-- Return the server's now. Its count of commands orders all its commands unless its statistics are
-- reset; its clock orders them unless it is set back. Either alone would suffice. A command counts as
-- earlier if it is earlier by both.
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

-- Read the partition's state. Start it over if another server wrote it (a failover, a restart, a
-- slot that moved), if the index has changed, or if the statistics were reset: the holder of any
-- earlier position may have missed a message.
local function load(meta, index, at)
  local state = read(meta)
  local known = state.server == at.server and at.commands >= state.commands
  if known and redis.call('ZCARD', index) == state.topics then
    return state
  end
  redis.call('UNLINK', index)
  -- Numbers continue above all earlier ones, even if the hash that held them is gone.
  local last = math.max(state.last, at.time)
  state = {
    server = at.server, last = last, commands = at.commands, time = math.max(state.time, at.time),
    floor = last, floor_commands = at.commands, floor_time = math.max(state.time, at.time),
    mark = last, mark_commands = at.commands, mark_time = math.max(state.time, at.time), topics = 0,
  }
  write(meta, state)
  return state
end
