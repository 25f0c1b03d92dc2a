-- Gives a key a new secret. The one so far works on until the overlap ends; unless nobody has used it, as when the
-- answer of the last rotation was lost. Then it is forgotten, and the one before it works on.
--
-- KEYS[1] key:{user}:{id}
-- ARGV[1] hash of the new secret        ARGV[2] now                          ARGV[3] end of the overlap (ISO 8601)
--
-- Reply: outcome (1 rotated, 2 no such key, 3 expired), then the record as HGETALL gives it.

local ROTATED, UNKNOWN, EXPIRED = 1, 2, 3

local hash, status, expires, used, before, before_until = unpack(
  redis.call('HMGET', KEYS[1], 'hash', 'status', 'expiresAt', 'lastUsedAt', 'previousHash', 'previousUntil'))
if not hash or status ~= 'active' then return { UNKNOWN } end
if expires and expires <= ARGV[2] then return { EXPIRED } end

local before_works = before and before_until and before_until > ARGV[2]
if before_works and not used then
  if before_until < ARGV[3] then redis.call('HSET', KEYS[1], 'previousUntil', ARGV[3]) end
else
  redis.call('HDEL', KEYS[1], 'lastUsedAt', 'previousUsedAt')
  redis.call('HSET', KEYS[1], 'previousHash', hash, 'previousUntil', ARGV[3])
  if used then redis.call('HSET', KEYS[1], 'previousUsedAt', used) end
end
redis.call('HSET', KEYS[1], 'hash', ARGV[1])
return { ROTATED, unpack(redis.call('HGETALL', KEYS[1])) }
