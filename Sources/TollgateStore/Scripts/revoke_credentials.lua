-- Ends a platform's key, and the one before it. That the key was revoked is remembered for a while, so that a program
-- that still uses it is told.
--
-- CURRENT_KEY user:{user}:apiKey  PREVIOUS_KEY user:{user}:previousApiKey
-- Names are those of RevokeCredentialsSignature.
--
-- Reply: the outcome. With REVOKED: the key, and the one before it or ''.

local current = redis.call('GET', KEYS[CURRENT_KEY])
local before, status = unpack(redis.call('HMGET', KEYS[PREVIOUS_KEY], 'apiKey', 'status'))
if not current then return { status == 'revoked' and REVOKED_BEFORE or UNKNOWN } end

redis.call('DEL', KEYS[CURRENT_KEY], KEYS[PREVIOUS_KEY])
redis.call('HSET', KEYS[PREVIOUS_KEY], 'apiKey', current, 'status', 'revoked', 'revokedAt', ARGV[NOW])
redis.call('EXPIRE', KEYS[PREVIOUS_KEY], ARGV[KEPT_SECONDS])
return { REVOKED, current, before or '' }
