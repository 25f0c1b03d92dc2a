-- Takes a user's turn to tell Clerk of their plan, unless another worker has it or Clerk knows already.
--
-- KEYS[1] subscription:{user}           KEYS[2] subscription:{user}:clerk
-- ARGV[1] token of this worker's turn   ARGV[2] how long the turn lasts in milliseconds
--
-- Reply: outcome (1 ours, 2 nothing to tell, 3 another's), then, if ours, the record as HGETALL gives it.

local OURS, UP_TO_DATE, TAKEN = 1, 2, 3

local plan, told = unpack(redis.call('HMGET', KEYS[1], 'plan', 'clerkUpdatedAt'))
if not plan or told then return { UP_TO_DATE } end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return { TAKEN } end
return { OURS, unpack(redis.call('HGETALL', KEYS[1])) }
