-- A step through the index of users in an order that calls do not change (ZSCAN), and which Redis it was: its cursor means
-- something to that process alone.
--
-- USERS_KEY users
-- CURSOR '0' at first  COUNT about so many users
--
-- Reply: the run id of Redis, the next cursor ('0' at the end), and the users.

local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local step = redis.call('ZSCAN', KEYS[USERS_KEY], ARGV[CURSOR], 'COUNT', ARGV[COUNT])
local users = {}
for place = 1, #step[2], 2 do users[#users + 1] = step[2][place] end
return { run_id, step[1], users }
