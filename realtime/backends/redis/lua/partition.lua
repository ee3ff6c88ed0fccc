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
--   log    a list for each topic, the newest at its end: "number before commands time message",
--          where `before` is the number of the topic's message before it

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
