-- What `admit.lua` and `charge.lua` share; it stands before each of them. Times are microseconds.

local MINUTE = 60000000

local function integer(number)
  return string.format('%.0f', number)
end

-- The time, tokens and running total of one charge in the list; nothing if there is none.
local function charge_at(charges, index)
  local at, tokens, total = string.match(redis.call('LINDEX', charges, index) or '', '(%d+) (%d+) (%d+)')
  return tonumber(at), tonumber(tokens), tonumber(total)
end

-- The time that was given, or this server's.
local function clock(given)
  if given ~= '' then
    return tonumber(given)
  end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
