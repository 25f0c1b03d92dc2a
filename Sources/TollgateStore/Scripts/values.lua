-- Reading what stands in Redis, where any client may have written anything: the one reader of numbers and of moments. Stands
-- at the beginning of the scripts that compute with them.

-- A whole number from -2^53 to 2^53, which a double holds exactly. Nil for everything else.
local function whole_number(text)
  local number = tonumber(text)
  if number and number >= -9007199254740992 and number <= 9007199254740992 and number % 1 == 0 then return number end
end

-- Periods of which a count is kept beside that of the present one and of the one before, and the longest text of them.
local OTHER_PERIODS, OTHER_PERIODS_BYTES = 6, 512

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

  -- Whether a text names a period: the day on which a calendar month begins, or the moment at which a subscription's does.
  function tools.is_period(text)
    return text and tools.moment(#text == 10 and text .. 'T00:00:00Z' or text)
  end

  -- The moment so many months after another, on that month's last day where it has no such day. UnixTime.adding(months:)
  -- says the same.
  function tools.months_after(moment, months)
    local year, month, day, time = string.match(moment, '^(%d+)%-(%d+)%-(%d+)(.*)$')
    local count = year * 12 + month - 1 + months
    if count < 0 then return '0000-01-01T00:00:00Z' end
    if count >= 120000 then return '9999-12-31T23:59:59Z' end
    local begin = string.format('%04d-%02d-', math.floor(count / 12), count % 12 + 1)
    for last = tonumber(day), 28, -1 do
      local there = begin .. string.format('%02d', last) .. time
      if tools.moment(there) then return there end
    end
    return begin .. day .. time
  end

  -- Days up to a moment's day, from one that is always the same. The years run from March: the leap day is their last.
  function tools.days(moment)
    local year, month, day = string.match(moment, '^(%d+)%-(%d+)%-(%d+)')
    local months = (month + 9) % 12
    if months > 9 then year = year - 1 end
    return year * 365 + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
      + math.floor((153 * months + 2) / 5) + day
  end

  -- The period that a quota covers: of the span that a subscription is paid for, all, or a month of a longer one.
  -- SubscriptionPeriod.quotaPeriod(at:) says the same. Nil for what is no span.
  function tools.quota_period(first, last, anchor, now)
    if not (tools.moment(first) and tools.moment(last) and first < last) then return nil end
    -- The longest month.
    local days = tools.days(last) - tools.days(first)
    if days < 31 or days == 31 and string.sub(last, 11) <= string.sub(first, 11) then return first, last end
    local origin = tools.moment(anchor) or first
    if now < first then now = first end
    local there = now < last and now or last
    local months = (string.sub(there, 1, 4) - string.sub(origin, 1, 4)) * 12 + string.sub(there, 6, 7)
      - string.sub(origin, 6, 7)
    local start = tools.months_after(origin, months)
    if start > now or start >= last then
      months = months - 1
      start = tools.months_after(origin, months)
    end
    local ending = tools.months_after(origin, months + 1)
    return start > first and start or first, ending < last and ending or last
  end

  -- What was counted in a period that is neither the present one nor the one before, by the text '<period>=<count> …' of
  -- them, and the text without it. Nil where nothing was.
  function tools.take_period(others, period)
    local count, rest = nil, {}
    for start, calls in string.gmatch(#(others or '') <= OTHER_PERIODS_BYTES and others or '', '(%S+)=(%-?%d+)') do
      if start == period then
        count = count or whole_number(calls)
      elseif tools.is_period(start) then
        rest[#rest + 1] = start .. '=' .. calls
      end
    end
    return count, table.concat(rest, ' ')
  end

  -- The text with one period more, in the first place. A month that is over does not come back. Of many periods
  -- those that were left first are forgotten.
  function tools.keep_period(others, period, count, present_month)
    if not tools.is_period(period) or #period == 10 and period < present_month then return others end
    local text, kept = period .. '=' .. string.format('%.0f', whole_number(count) or 0), 1
    for other in string.gmatch(others, '%S+') do
      kept = kept + 1
      if kept <= OTHER_PERIODS then text = text .. ' ' .. other end
    end
    return text
  end

  -- What operators have decided of a user, as OperatorTerms+Words.swift writes it: what counts at `now` of a block, a plan, a
  -- quota and a rate.
  function tools.operator_terms(text, now)
    local words = ' ' .. text .. ' '
    local terms = { text = words, block = string.match(words, ' block=[^/ ]*/([^ ]+) ') }
    if tools.lasts(string.match(words, ' until=([^ ]*) '), now) then
      terms.plan = string.match(words, ' plan=([a-z0-9_-]+) ')
      terms.quota = tools.limit(string.match(words, ' quota=(%d+) '))
      terms.rate = tools.limit(string.match(words, ' rate=(%d+) '))
    end
    return terms
  end

  -- A limit: Plan.maximumLimit at most.
  function tools.limit(text)
    local number = whole_number(text)
    return number and number <= 9007199254740991 and number or nil
  end

  -- Whether what has no end, or this one, counts now. A day lasts to its end; what cannot be read is over.
  function tools.lasts(ending, now)
    if not ending then return true end
    if #ending == 10 and tools.moment(ending .. 'T00:00:00Z') then return ending .. 'T24' > now end
    return tools.moment(ending) ~= nil and ending > now
  end

  -- Calls that they have granted on top of the quota of a period, by the words of it.
  function tools.granted(words, period, now)
    local grants, calls = {}, 0
    for count, only, ending in string.gmatch(words, ' grant=%w+/(%d+)/([^/ ]+)/([^/ ]+)/[^/ ]+%f[ ]') do
      if tools.limit(count) then grants[#grants + 1] = { tools.limit(count), only, ending } end
    end
    -- Of more than OperatorTerms.maximumGrants, the last count.
    for place = math.max(1, #grants - 7), #grants do
      local count, only, ending = unpack(grants[place])
      if (only == '*' or only == period) and tools.lasts(ending ~= '-' and ending or nil, now) then
        calls = calls + count
      end
    end
    return calls
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

  -- Counts in the history of a user who has been admitted that requests were refused: nobody makes keys by being refused.
  -- It is no part of the decision: where it cannot be written, they are refused all the same.
  function tools.count_refusal(usage_key, now, code, count, kept_seconds)
    local days_key = usage_key .. ':' .. string.sub(now, 1, 9)
    local counted = redis.pcall('HINCRBY', days_key, string.sub(now, 9, 10) .. '!' .. code, count)
    if counted == tonumber(count) then redis.pcall('EXPIRE', days_key, kept_seconds) end
  end

  return tools
end
