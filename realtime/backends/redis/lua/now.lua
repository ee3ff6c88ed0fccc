-- Say what a server is, and its now: a position good for every topic that it holds.
-- Returns {server, commands, time, role}.

local at = now()
return { at.server, text(at.commands), text(at.time), at.role }
