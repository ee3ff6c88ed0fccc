-- Send a message to a topic: number it, store it, push it to the subscribers of its channel.
-- KEYS meta, index, log (the topic's, and the name of its channel)
-- ARGV topic, message (JSON), most messages kept of a topic, seconds to keep them
-- Returns the message's number.

local meta, index, log = KEYS[1], KEYS[2], KEYS[3]
local topic, message, most, seconds = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local at = now()
local state = load(meta, index, at)

if at.time - state.mark_time >= seconds * 1000000 then
  -- All messages up to the mark are old enough to be forgotten.
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

local numbers = text(state.last) .. ' ' .. text(before) .. ' ' .. text(at.commands) .. ' ' .. text(at.time)
local added = redis.pcall('RPUSH', log, numbers .. ' ' .. message)
if type(added) == 'table' and added.err then
  -- The key holds no list. Readers notice the loss by the chain of numbers.
  redis.call('DEL', log)
  redis.call('RPUSH', log, numbers .. ' ' .. message)
end
redis.call('LTRIM', log, -most, -1)
redis.call('EXPIRE', log, seconds * 2)
redis.call('SPUBLISH', log, '[' .. text(state.last) .. ',' .. text(before) .. ',' .. text(at.commands) .. ',' .. text(at.time) .. ',' .. message .. ']')
return text(state.last)
