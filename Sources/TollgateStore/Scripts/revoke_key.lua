-- Revokes a key. Its record is kept for a while, so that whoever still uses it is told why it is refused.
--
-- KEYS[1] keys:{user}                   KEYS[2] key:{user}:{id}
-- ARGV[1] id                            ARGV[2] now (ISO 8601)               ARGV[3] seconds to keep the record
--
-- Reply: 1 revoked, now or before, 0 no such key.

redis.call('ZREM', KEYS[1], ARGV[1])
local status = redis.call('HGET', KEYS[2], 'status')
if not status then return 0 end
if status ~= 'revoked' then
  redis.call('HSET', KEYS[2], 'status', 'revoked', 'revokedAt', ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return 1
