-- Reading what stands in Redis, where any client may have written anything: the one reader of numbers and of moments. Stands
-- at the beginning of the scripts that compute with them.

-- A whole number from -2^53 to 2^53, which a double holds exactly. Nil for everything else.
local function whole_number(text)
  local number = tonumber(text)
  if number and number >= -9007199254740992 and number <= 9007199254740992 and number % 1 == 0 then return number end
end

-- What is needed now and then. One function, for every admission makes it anew and hardly any calls it.
local function tools()
  local tools = {}

  -- A moment as ISO 8601 in UTC with whole seconds, as UnixTime+ISO8601.swift reads it. Nil for everything else.
  function tools.moment(text)
    local year, month, day, hour, minute, second = string.match(
      text or '', '^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)Z$')
    if not year or hour > '23' or minute > '59' or second > '59' or month < '01' or month > '12' or day < '01' then
      return nil
    end
    local last = '31'
    if month == '02' then
      local century = year % 100 == 0
      last = (century and year % 400 or year % 4) == 0 and '29' or '28'
    elseif month == '04' or month == '06' or month == '09' or month == '11' then
      last = '30'
    end
    if day <= last then return text end
  end

  -- What a command that has met a value of another type answers to the worker: which key it is.
  function tools.failure(key, reply)
    if not string.find(reply.err, 'WRONGTYPE', 1, true) then return reply end
    return { err = 'WRONGTYPE ' .. key .. ' holds a value of another type than ours' }
  end

  -- Whether a command that counts up was refused for the number that it has met, and not for writing at all.
  function tools.is_of_number(refusal)
    return string.find(refusal.err, 'integer', 1, true) or string.find(refusal.err, 'overflow', 1, true)
  end

  -- Whether a worker whose time is now (ISO 8601), and in whose minute the counter is, goes by another time than Redis. Not
  -- asked without a tolerance.
  function tools.clock_differs(minute_key, now, tolerance_seconds)
    if not tolerance_seconds then return false end
    local seconds = string.match(minute_key, '%d+$') * 60 + string.sub(now, 18, 19)
    return math.abs(seconds - redis.call('TIME')[1]) > tolerance_seconds
  end

  return tools
end
