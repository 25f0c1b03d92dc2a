-- Ends a turn to tell Clerk of a user's plan, and notes that Clerk was told unless the record has changed since.
--
-- SUBSCRIPTION_KEY subscription:{user}  TURN_KEY subscription:{user}:clerk
-- Names are those of EndClerkUpdateSignature.
--
-- Reply: the outcome.

if redis.call('GET', KEYS[TURN_KEY]) == ARGV[TOKEN] then redis.call('DEL', KEYS[TURN_KEY]) end
if #ARGV < REST then return NOT_NOTED end
for i, said in ipairs({ 'plan', 'status', 'customer', 'subscription' }) do
  if (redis.call('HGET', KEYS[SUBSCRIPTION_KEY], said) or '') ~= ARGV[REST + i - 1] then return NOT_NOTED end
end
redis.call('HSET', KEYS[SUBSCRIPTION_KEY], 'clerkUpdatedAt', ARGV[NOW])
return NOTED
