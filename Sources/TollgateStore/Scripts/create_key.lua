-- Makes a key, unless the user has as many as anybody may have. Keys whose end has come make room when it is needed.
--
-- KEYS[1] keys:{user}                   KEYS[2] key:{user}:{id}
-- ARGV[1] id                            ARGV[2] now (YYYYMMDDhhmmss)         ARGV[3] now (ISO 8601)
-- ARGV[4] the most keys                 ARGV[5] seconds to keep the record, or 0 = for good
-- ARGV[6...] the record: field, value, field, value, ...
--
-- Reply: 1 made, 0 too many.

local LIMIT = tonumber(ARGV[4])

-- The records of the others are named like the one that is to be made; all of them lie in one slot.
local function record_of(id)
  return string.sub(KEYS[2], 1, #KEYS[2] - #ARGV[1] - 1) .. id .. '}'
end

-- A record that is gone has expired long ago.
local function forget_expired()
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local status, expires = unpack(redis.call('HMGET', record_of(id), 'status', 'expiresAt'))
    if not status or (expires and expires <= ARGV[3]) then redis.call('ZREM', KEYS[1], id) end
  end
end

if redis.call('ZCARD', KEYS[1]) >= LIMIT then
  forget_expired()
  if redis.call('ZCARD', KEYS[1]) >= LIMIT then return 0 end
end

redis.call('HSET', KEYS[2], unpack(ARGV, 6))
if ARGV[5] ~= '0' then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 1
