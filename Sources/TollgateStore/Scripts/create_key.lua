-- Makes a key, unless the user has as many as a user may have, or has changed keys too often. Keys whose end has come
-- make room when it is needed. values.lua, change_limit.lua and
-- end_key.lua stand before it.
--
-- LIST_KEY keys:{user}  RECORD_KEY key:{user}:{id}
-- MINUTE_CHANGES_KEY keys:{user}:changes:<minute>  DAY_CHANGES_KEY keys:{user}:changes:<day>
-- The name of keys:{user}:ended is made in end_key.lua: it lies in the same slot.
-- Names are those of CreateKeySignature. Behind the arguments stands the record: field, value, field, value, ...
--
-- Reply: the outcome.

local LIMIT = tonumber(ARGV[MAXIMUM_KEYS])

-- A record that is gone has expired long ago.
local function forget_expired()
  for _, id in ipairs(redis.call('ZRANGE', KEYS[LIST_KEY], 0, -1)) do
    local status, expires = unpack(redis.call('HMGET', record_of(id, KEYS[LIST_KEY]), 'status', 'expiresAt'))
    if not status then
      redis.call('ZREM', KEYS[LIST_KEY], id)
    elseif expires and (not tools().moment(expires) or expires <= ARGV[NOW]) then
      end_key(id, KEYS[LIST_KEY], ARGV[ENDED_SECONDS], ARGV[SCORE], ARGV[MAXIMUM_ENDED], 'status', status, 'expiresAt', expires)
    end
  end
end

local reached = change_limit(KEYS[MINUTE_CHANGES_KEY], ARGV[MINUTE_LIMIT], KEYS[DAY_CHANGES_KEY], ARGV[DAY_LIMIT])
if reached then return reached end
if redis.call('ZCARD', KEYS[LIST_KEY]) >= LIMIT then
  forget_expired()
  if redis.call('ZCARD', KEYS[LIST_KEY]) >= LIMIT then return TOO_MANY end
end

redis.call('HSET', KEYS[RECORD_KEY], unpack(ARGV, REST))
if ARGV[KEPT_SECONDS] ~= '0' then redis.call('EXPIRE', KEYS[RECORD_KEY], ARGV[KEPT_SECONDS]) end
redis.call('ZADD', KEYS[LIST_KEY], ARGV[SCORE], ARGV[ID])
count_change(KEYS[MINUTE_CHANGES_KEY], KEYS[DAY_CHANGES_KEY])
return MADE
