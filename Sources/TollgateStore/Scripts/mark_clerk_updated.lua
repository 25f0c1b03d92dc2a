-- Notes when Clerk was told what a subscription's record says, unless the record has changed since it was read.
--
-- KEYS[1] subscription:{user}
-- ARGV[1] the event that the record came from     ARGV[2] now (ISO 8601)
--
-- Reply: 1 noted, 0 the record comes from another event by now.

if redis.call('HGET', KEYS[1], 'eventId') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'clerkUpdatedAt', ARGV[2])
return 1
