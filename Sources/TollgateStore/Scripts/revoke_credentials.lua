-- Ends a platform's key, and the one before it. That the key was revoked is remembered for a while, so that a program
-- that still uses it is told.
--
-- KEYS[1] user:{user}:apiKey            KEYS[2] user:{user}:previousApiKey
-- ARGV[1] now (ISO 8601)                ARGV[2] seconds to remember it
--
-- Reply: outcome (0 no key, 1 revoked, 2 was revoked before). With 1: the key, and the one before it or ''.

local current = redis.call('GET', KEYS[1])
local before, status = unpack(redis.call('HMGET', KEYS[2], 'apiKey', 'status'))
if not current then return { status == 'revoked' and 2 or 0 } end

redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[2], 'apiKey', current, 'status', 'revoked', 'revokedAt', ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return { 1, current, before or '' }
