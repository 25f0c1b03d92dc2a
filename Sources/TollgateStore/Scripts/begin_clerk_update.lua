-- Takes a user's turn to tell Clerk of their plan, unless another worker has it or Clerk knows already.
--
-- SUBSCRIPTION_KEY subscription:{user}  TURN_KEY subscription:{user}:clerk
-- Names are those of BeginClerkUpdateSignature.
--
-- Reply: the outcome, then, with OURS, the record as HGETALL gives it.

local plan, told = unpack(redis.call('HMGET', KEYS[SUBSCRIPTION_KEY], 'plan', 'clerkUpdatedAt'))
if not plan or told then return { UP_TO_DATE } end
if not redis.call('SET', KEYS[TURN_KEY], ARGV[TOKEN], 'NX', 'PX', ARGV[TURN_MILLISECONDS]) then return { TAKEN } end
return { OURS, unpack(redis.call('HGETALL', KEYS[SUBSCRIPTION_KEY])) }
