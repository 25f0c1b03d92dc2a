-- Revokes a key. What refusing it needs is kept for a while, so that a program that still uses it is told why it is
-- refused. end_key.lua stands before it.
--
-- KEYS[1] keys:{user}                   KEYS[2] key:{user}:{id}
-- The name of keys:{user}:ended is made in end_key.lua: it lies in the same slot.
-- ARGV[1] id                            ARGV[2] now (YYYYMMDDhhmmss)         ARGV[3] now (ISO 8601)
-- ARGV[4] the most ended keys           ARGV[5] seconds to keep those
--
-- Reply: 0 no such key, 1 revoked, 2 was revoked before.

local status = redis.call('HGET', KEYS[2], 'status')
if not status then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return 0
end
if status == 'revoked' then return 2 end
end_key(ARGV[1], KEYS[1], ARGV[5], ARGV[2], ARGV[4], 'status', 'revoked', 'revokedAt', ARGV[3])
return 1
