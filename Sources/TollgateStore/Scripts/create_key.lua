-- Makes a key, unless the user has as many as a user may have, or has changed keys too often. Keys whose end has come
-- make room when it is needed. values.lua, change_limit.lua and
-- end_key.lua stand before it.
--
-- KEYS[1] keys:{user}                   KEYS[2] key:{user}:{id}
-- KEYS[3] keys:{user}:changes:<minute>  KEYS[4] keys:{user}:changes:<day>
-- The name of keys:{user}:ended is made in end_key.lua: it lies in the same slot.
-- ARGV by the names of CreateKeyArgument, then the record: field, value, field, value, ...
--
-- Reply: 0 made, 1 too often in this minute, 2 too often on this day, 3 too many.

local MADE, TOO_MANY = 0, 3
local LIMIT = tonumber(ARGV[MAXIMUM_KEYS])

-- A record that is gone has expired long ago.
local function forget_expired()
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local status, expires = unpack(redis.call('HMGET', record_of(id, KEYS[1]), 'status', 'expiresAt'))
    if not status then
      redis.call('ZREM', KEYS[1], id)
    elseif expires and (not tools().moment(expires) or expires <= ARGV[NOW]) then
      end_key(id, KEYS[1], ARGV[ENDED_SECONDS], ARGV[SCORE], ARGV[MAXIMUM_ENDED], 'status', status, 'expiresAt', expires)
    end
  end
end

local reached = change_limit(KEYS[3], ARGV[MINUTE_LIMIT], KEYS[4], ARGV[DAY_LIMIT])
if reached then return reached end
if redis.call('ZCARD', KEYS[1]) >= LIMIT then
  forget_expired()
  if redis.call('ZCARD', KEYS[1]) >= LIMIT then return TOO_MANY end
end

redis.call('HSET', KEYS[2], unpack(ARGV, REST))
if ARGV[KEPT_SECONDS] ~= '0' then redis.call('EXPIRE', KEYS[2], ARGV[KEPT_SECONDS]) end
redis.call('ZADD', KEYS[1], ARGV[SCORE], ARGV[ID])
count_change(KEYS[3], KEYS[4])
return MADE
