-- How often a user's keys may change. Stands before the scripts that make and rotate keys, and after values.lua: they
-- count themselves, in the step that makes the change, so that no number of workers lets one through too many. Revoking
-- is not counted.

local MINUTE_TTL_SECONDS, DAY_TTL_SECONDS = 120, 2 * 86400

-- The limit that has been reached, as the outcome of the script behind it, or nothing.
local function change_limit(minute_key, minute_limit, day_key, day_limit)
  if (whole_number(redis.call('GET', minute_key)) or 0) >= tonumber(minute_limit) then return MINUTE_REACHED end
  if (whole_number(redis.call('GET', day_key)) or 0) >= tonumber(day_limit) then return DAY_REACHED end
end

local function count_change(minute_key, day_key)
  for key, ttl_seconds in pairs({ [minute_key] = MINUTE_TTL_SECONDS, [day_key] = DAY_TTL_SECONDS }) do
    local count = redis.pcall('INCR', key)
    if count == 1 then redis.call('EXPIRE', key, ttl_seconds) end
    if type(count) == 'table' and tools().is_of_number(count) then redis.call('SET', key, 1, 'EX', ttl_seconds) end
  end
end
