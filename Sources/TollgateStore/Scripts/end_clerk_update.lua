-- Ends a turn to tell Clerk of a user's plan, and notes that Clerk was told unless the record has changed since.
--
-- KEYS[1] subscription:{user}           KEYS[2] subscription:{user}:clerk
-- ARGV[1] token of this worker's turn   ARGV[2] the event of the record that Clerk was told, or '' if it was not
-- ARGV[3] now (ISO 8601)
--
-- Reply: 1 noted, 0 not.

if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
if ARGV[2] == '' or redis.call('HGET', KEYS[1], 'eventId') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'clerkUpdatedAt', ARGV[3])
return 1
