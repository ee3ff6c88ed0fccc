-- Return the server's role and its now: a position valid for every topic that it holds.
-- Returns {server, commands, time, role}.

local at = now()
return { at.server, text(at.commands), text(at.time), at.role }
