-- Claims a webhook event for one try, unless another is working on it or it is done.
--
-- KEYS[1] webhook:stripe:{event}
-- ARGV[1] token of this try             ARGV[2] length of the lease in milliseconds
--
-- The value is 'claimed <token>' while in work, with the lease as its TTL; then the moment it was done.
-- Reply, all integers: outcome (1 claimed, 2 in work, 3 done), milliseconds until the other's lease runs out.

local CLAIMED, IN_WORK, DONE = 1, 2, 3
local PREFIX = 'claimed '

if redis.call('SET', KEYS[1], PREFIX .. ARGV[1], 'NX', 'PX', ARGV[2]) then return { CLAIMED, 0 } end

local value = redis.call('GET', KEYS[1])
if string.sub(value, 1, #PREFIX) ~= PREFIX then return { DONE, 0 } end
return { IN_WORK, redis.call('PTTL', KEYS[1]) }
