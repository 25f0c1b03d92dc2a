-- Makes a key, unless the user has as many as anybody may have, or has changed keys too often. Keys whose end has come
-- make room when it is needed. values.lua, change_limit.lua and
-- end_key.lua stand before it.
--
-- KEYS[1] keys:{user}                   KEYS[2] key:{user}:{id}
-- KEYS[3] keys:{user}:changes:<minute>  KEYS[4] keys:{user}:changes:<day>
-- The name of keys:{user}:ended is made in end_key.lua: it lies in the same slot.
-- ARGV[1] id                            ARGV[2] now (YYYYMMDDhhmmss)         ARGV[3] now (ISO 8601)
-- ARGV[4] the most keys                 ARGV[5] seconds to keep the record, or 0 = for good
-- ARGV[6] and [7] the most changes of the minute and of the day
-- ARGV[8] the most ended keys           ARGV[9] seconds to keep those
-- ARGV[10...] the record: field, value, field, value, ...
--
-- Reply: 0 made, 1 too often in this minute, 2 too often on this day, 3 too many.

local MADE, TOO_MANY = 0, 3
local LIMIT = tonumber(ARGV[4])

-- A record that is gone has expired long ago.
local function forget_expired()
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local status, expires = unpack(redis.call('HMGET', record_of(id, KEYS[1]), 'status', 'expiresAt'))
    if not status then
      redis.call('ZREM', KEYS[1], id)
    elseif expires and (not tools().moment(expires) or expires <= ARGV[3]) then
      end_key(id, KEYS[1], ARGV[9], ARGV[2], ARGV[8], 'status', status, 'expiresAt', expires)
    end
  end
end

local reached = change_limit(KEYS[3], ARGV[6], KEYS[4], ARGV[7])
if reached then return reached end
if redis.call('ZCARD', KEYS[1]) >= LIMIT then
  forget_expired()
  if redis.call('ZCARD', KEYS[1]) >= LIMIT then return TOO_MANY end
end

redis.call('HSET', KEYS[2], unpack(ARGV, 10))
if ARGV[5] ~= '0' then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
count_change(KEYS[3], KEYS[4])
return MADE
