-- Revokes a key. What refusing it needs is kept for a while, so that a program that still uses it is told why it is
-- refused. end_key.lua stands before it.
--
-- KEYS[1] keys:{user}                   KEYS[2] key:{user}:{id}
-- The name of keys:{user}:ended is made in end_key.lua: it lies in the same slot.
-- ARGV by the names of RevokeKeyArgument.
--
-- Reply: 0 no such key, 1 revoked, 2 was revoked before.

local status = redis.call('HGET', KEYS[2], 'status')
if not status then
  redis.call('ZREM', KEYS[1], ARGV[ID])
  return 0
end
if status == 'revoked' then return 2 end
end_key(ARGV[ID], KEYS[1], ARGV[ENDED_SECONDS], ARGV[SCORE], ARGV[MAXIMUM_ENDED], 'status', 'revoked', 'revokedAt', ARGV[NOW])
return 1
