-- What becomes of a key that was revoked or has expired: its record keeps only what refusing it needs, for a while, and
-- of each user only so many are kept. A key of which nothing is kept is refused as well, as one that is unknown. Stands
-- before the scripts that make and revoke keys.

-- The records of a user are named alike; all of them lie in one slot.
local function record_of(id, keys_key) return 'key' .. string.sub(keys_key, #'keys' + 1) .. ':{' .. id .. '}' end

-- - kept: seconds to keep the record; score: now (YYYYMMDDhhmmss); most: how many are kept of a user. What follows are
--   the fields that say why it is refused: field, value, ...
local function end_key(id, keys_key, kept, score, most, ...)
  local record, ended = record_of(id, keys_key), keys_key .. ':ended'
  local hash, before = unpack(redis.call('HMGET', record, 'hash', 'previousHash'))
  redis.call('ZREM', keys_key, id)
  -- Written anew: what is left is small enough for Redis' compact form, which a hash that has grown never returns to.
  redis.call('DEL', record)
  redis.call('HSET', record, 'hash', hash or '', ...)
  if before then redis.call('HSET', record, 'previousHash', before) end
  redis.call('EXPIRE', record, kept)

  redis.call('ZADD', ended, score, id)
  redis.call('EXPIRE', ended, kept)
  for _, oldest in ipairs(redis.call('ZRANGE', ended, 0, -1 - most)) do
    redis.call('ZREM', ended, oldest)
    redis.call('DEL', record_of(oldest, keys_key))
  end
end
