-- Revokes a key. What refusing it needs is kept for a while, so that a program that still uses it is told why it is
-- refused. end_key.lua stands before it.
--
-- LIST_KEY keys:{user}  RECORD_KEY key:{user}:{id}
-- The name of keys:{user}:ended is made in end_key.lua: it lies in the same slot.
-- Names are those of RevokeKeySignature.
--
-- Reply: the outcome.

local status = redis.call('HGET', KEYS[RECORD_KEY], 'status')
if not status then
  redis.call('ZREM', KEYS[LIST_KEY], ARGV[ID])
  return UNKNOWN
end
if status == 'revoked' then return REVOKED_BEFORE end
end_key(ARGV[ID], KEYS[LIST_KEY], ARGV[ENDED_SECONDS], ARGV[SCORE], ARGV[MAXIMUM_ENDED], 'status', 'revoked', 'revokedAt', ARGV[NOW])
return REVOKED
