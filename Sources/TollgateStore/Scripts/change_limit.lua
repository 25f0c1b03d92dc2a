-- How often a user's keys may change. Stands before the scripts that make and rotate keys: they count themselves, in
-- the step that makes the change, so that no number of workers lets one through too many. Revoking is not counted.

local MINUTE_TTL_SECONDS, DAY_TTL_SECONDS = 120, 2 * 86400

-- The limit that has been reached (1 of the minute, 2 of the day), or nothing.
local function change_limit(minute_key, minute_limit, day_key, day_limit)
  if (tonumber(redis.call('GET', minute_key)) or 0) >= tonumber(minute_limit) then return 1 end
  if (tonumber(redis.call('GET', day_key)) or 0) >= tonumber(day_limit) then return 2 end
end

local function count_change(minute_key, day_key)
  if redis.call('INCR', minute_key) == 1 then redis.call('EXPIRE', minute_key, MINUTE_TTL_SECONDS) end
  if redis.call('INCR', day_key) == 1 then redis.call('EXPIRE', day_key, DAY_TTL_SECONDS) end
end
