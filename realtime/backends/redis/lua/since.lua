-- Tell what a topic was sent since a position, if that can be proven.
-- KEYS meta, index, log
-- ARGV topic, server, commands, time (the position), most messages to tell
-- Returns {server, commands, time of now, number of the topic's newest message or 0, reason for a
-- reset or '', and then of each message: number, commands, time, message}, the oldest first.

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

-- From the newest back, along the numbers of the ones before, to one that came before the position.
local found, due, last, pages = {}, newest, '+', 0
while due ~= 0 do
  local entries = redis.call('XREVRANGE', log, last, '-', 'COUNT', 16)
  for _, entry in ipairs(entries) do
    local number = tonumber(string.match(entry[1], '^%d+'))
    local fields = {}
    for place = 1, #entry[2], 2 do
      fields[entry[2][place]] = entry[2][place + 1]
    end
    if number ~= due or #found >= most then
      answer[5] = 'history-expired'
      return answer
    end
    if is_before(tonumber(fields.commands), tonumber(fields.time)) then
      due = 0
      break
    end
    found[#found + 1] = { text(number), fields.commands, fields.time, fields.message }
    due = tonumber(fields.before)
    last = '(' .. entry[1]
    if due == 0 then
      break
    end
  end
  if due ~= 0 and #entries < 16 then
    answer[5] = 'history-expired'
    return answer
  end
end
for place = #found, 1, -1 do
  for _, value in ipairs(found[place]) do
    answer[#answer + 1] = value
  end
end
return answer
