-- Makes CUSTOMER the user's own customer, unless there is one already that is not KNOWN.
--
-- SUBSCRIPTIONS_KEY subscriptions:{user}
-- Names are those of RecordOwnCustomerSignature.
--
-- Reply: the outcome, then the user's own customer from now on.

local found = redis.call('HGET', KEYS[SUBSCRIPTIONS_KEY], ARGV[FIELD])
if found and found ~= ARGV[KNOWN] then return { ANOTHER, found } end
redis.call('HSET', KEYS[SUBSCRIPTIONS_KEY], ARGV[FIELD], ARGV[CUSTOMER])
return { RECORDED, ARGV[CUSTOMER] }
