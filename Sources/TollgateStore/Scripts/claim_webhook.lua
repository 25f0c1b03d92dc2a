-- Claims a webhook event for one try, unless another is working on it or it is done.
--
-- EVENT_KEY webhook:stripe:{event}
-- Names are those of ClaimWebhookSignature.
--
-- The value is 'claimed <token>' while in work, with the lease as its TTL; then the moment it was done.
-- Reply, all integers: the outcome, milliseconds until the other's lease runs out.

local PREFIX = 'claimed '

if redis.call('SET', KEYS[EVENT_KEY], PREFIX .. ARGV[TOKEN], 'NX', 'PX', ARGV[LEASE_MILLISECONDS]) then return { CLAIMED, 0 } end

local value = redis.call('GET', KEYS[EVENT_KEY])
if string.sub(value, 1, #PREFIX) ~= PREFIX then return { DONE, 0 } end
return { IN_WORK, redis.call('PTTL', KEYS[EVENT_KEY]) }
