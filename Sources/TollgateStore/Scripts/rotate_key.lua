-- Gives a key a new secret. The one so far works on until the overlap ends; unless it was never used, as when the
-- answer of the last rotation was lost. Then it is forgotten, and the one before it works on. Without an overlap no
-- earlier secret works on, whatever rotations have promised before: the user who asks for that has lost one of them.
--
-- values.lua and change_limit.lua stand before it.
--
-- RECORD_KEY key:{user}:{id}
-- MINUTE_CHANGES_KEY keys:{user}:changes:<minute>  DAY_CHANGES_KEY keys:{user}:changes:<day>
-- Names are those of RotateKeySignature.
--
-- Reply: the outcome, then the record as HGETALL gives it.

local hash, status, expires, used, before, before_until = unpack(
  redis.call('HMGET', KEYS[RECORD_KEY], 'hash', 'status', 'expiresAt', 'lastUsedAt', 'previousHash', 'previousUntil'))
if not hash or status ~= 'active' then return { UNKNOWN } end
-- An end that cannot be read has come.
if expires and (not tools().moment(expires) or expires <= ARGV[NOW]) then return { EXPIRED } end
local reached = change_limit(KEYS[MINUTE_CHANGES_KEY], ARGV[MINUTE_LIMIT], KEYS[DAY_CHANGES_KEY], ARGV[DAY_LIMIT])
if reached then return { reached } end

-- No secret outlives its key.
local works_until = expires and expires < ARGV[OVERLAP_END] and expires or ARGV[OVERLAP_END]
-- Whatever the clock will say: one that is set back must not bring back a secret that has leaked.
if works_until <= ARGV[NOW] then works_until = '1970-01-01T00:00:00Z' end
local has_overlap = works_until > ARGV[NOW]
if has_overlap and not used and before and (tools().moment(before_until) or '') > ARGV[NOW] then
  redis.call('HSET', KEYS[RECORD_KEY], 'previousUntil', works_until)
else
  redis.call('HDEL', KEYS[RECORD_KEY], 'lastUsedAt', 'previousUsedAt')
  redis.call('HSET', KEYS[RECORD_KEY], 'previousHash', hash, 'previousUntil', works_until)
  if used then redis.call('HSET', KEYS[RECORD_KEY], 'previousUsedAt', used) end
end
redis.call('HSET', KEYS[RECORD_KEY], 'hash', ARGV[HASH])
count_change(KEYS[MINUTE_CHANGES_KEY], KEYS[DAY_CHANGES_KEY])
return { ROTATED, unpack(redis.call('HGETALL', KEYS[RECORD_KEY])) }
