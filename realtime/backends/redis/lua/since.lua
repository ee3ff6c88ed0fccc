-- Return a topic's messages since a position, if completeness can be proven.
-- KEYS meta, index, log
-- ARGV topic, server, commands, time (the position), most messages to return
-- Returns {server, commands, time of now, number of the topic's newest message or 0, reason for a
-- reset or '', and then for each message: number, commands, time, message}, the oldest first.

local meta, index, log = KEYS[1], KEYS[2], KEYS[3]
local topic, server, most = ARGV[1], ARGV[2], tonumber(ARGV[5])
local commands, time = tonumber(ARGV[3]), tonumber(ARGV[4])
local at = now()
local state = load(meta, index, at)
local newest = tonumber(redis.call('ZSCORE', index, topic)) or 0
local answer = { at.server, text(at.commands), text(at.time), text(newest) }

local function is_before(its_commands, its_time)
  return its_commands < commands and its_time < time
end

if server ~= string.sub(at.server, 1, #server) or #server == 0 then
  answer[5] = 'backend-restart'
  return answer
end
if commands > at.commands then
  answer[5] = 'unknown-cursor'
  return answer
end
if not is_before(state.floor_commands, state.floor_time) then
  answer[5] = 'history-expired'
  return answer
end
answer[5] = ''

-- Go back from the newest message, by each one's `before`, to one that came before the position.
local PAGE = 16
local found, due, last = {}, newest, -1
while due ~= 0 do
  local entries = redis.call('LRANGE', log, last - PAGE + 1, last)
  for place = #entries, 1, -1 do
    local number, before, its_commands, its_time, message =
      string.match(entries[place], '^(%d+) (%d+) (%d+) (%d+) (.*)$')
    if tonumber(number) ~= due or #found >= most then
      answer[5] = 'history-expired'
      return answer
    end
    if is_before(tonumber(its_commands), tonumber(its_time)) then
      due = 0
      break
    end
    found[#found + 1] = { number, its_commands, its_time, message }
    due = tonumber(before)
    if due == 0 then
      break
    end
  end
  if due ~= 0 and #entries < PAGE then
    answer[5] = 'history-expired'
    return answer
  end
  last = last - PAGE
end
for place = #found, 1, -1 do
  for _, value in ipairs(found[place]) do
    answer[#answer + 1] = value
  end
end
return answer
