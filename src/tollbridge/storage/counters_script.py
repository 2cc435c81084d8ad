"""Owns the script that counts inside Redis or Valkey: many takes and gives in one atomic step.

It repeats the arithmetic of `Window` in Lua, by the server's clock. It makes key names itself, so
it wants one server (with replicas, if any), not a cluster. Every key expires.

Keys, after the prefix `tollbridge:`
    window:<scope>   hash: r<bucket> and t<bucket> to the requests and tokens counted in it
    slots:<scope>    hash: name of a process to the calls that it has under way
    alive:<process>  there while that process says so; without it its slots do not count
"""

SCRIPT = """
local ask = cjson.decode(ARGV[1])
local BACK, BUCKET_MS, SLOT_WAIT_MS = ask.back, ask.bucket_ms, ask.slot_wait_ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = math.floor(now / BUCKET_MS)
local first = bucket - BACK
-- A clock that was set back leaves counts in buckets to come; so far they are believed.
local last = bucket + BACK

for _, name in ipairs(ask.was) do redis.call('DEL', 'tollbridge:alive:' .. name) end
redis.call('SET', 'tollbridge:alive:' .. ask.me, '1', 'PX', ask.alive_ms)

local windows, slots, alive = {}, {}, {}

local function window(scope)
  local seen = windows[scope]
  if seen then return seen end
  local key = 'tollbridge:window:' .. scope
  seen = { r = {}, t = {}, rused = 0, tused = 0, changed = {} }
  local flat, gone = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do
    local kind, at = string.sub(flat[i], 1, 1), tonumber(string.sub(flat[i], 2))
    if at < first or at > last then
      gone[#gone + 1] = flat[i]
    else
      local count = tonumber(flat[i + 1])
      seen[kind][at] = count
      seen[kind .. 'used'] = seen[kind .. 'used'] + count
    end
  end
  for i = 1, #gone do redis.call('HDEL', key, gone[i]) end
  windows[scope] = seen
  return seen
end

local function add(seen, kind, at, count)
  local there = seen[kind][at] or 0
  if count < 0 then count = -math.min(-count, there) end
  if count == 0 then return end
  seen[kind][at] = there + count
  seen[kind .. 'used'] = seen[kind .. 'used'] + count
  seen.changed[kind .. string.format('%d', at)] = there + count
end

-- In how many milliseconds at least `excess` of a window will have left it.
local function frees(counts, excess)
  for at = first, last do
    excess = excess - (counts[at] or 0)
    if excess <= 0 then return (at + BACK + 1) * BUCKET_MS - now end
  end
  return BUCKET_MS
end

local function is_alive(process)
  if alive[process] == nil then
    alive[process] = redis.call('EXISTS', 'tollbridge:alive:' .. process) == 1
  end
  return alive[process]
end

-- The slots that other processes have taken in a scope; those of the dead are swept out.
local function others(scope, mine)
  if mine.others then return mine.others end
  local key, sum = 'tollbridge:slots:' .. scope, 0
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    if flat[i] ~= ask.me then
      if is_alive(flat[i]) then
        sum = sum + tonumber(flat[i + 1])
      else
        redis.call('HDEL', key, flat[i])
      end
    end
  end
  mine.others = sum
  return sum
end

for _, pair in ipairs(ask.slots) do slots[pair[1]] = { count = pair[2] } end

for _, give in ipairs(ask.gives) do
  local seen, at, tokens = window(give[1]), give[2], give[4]
  add(seen, 'r', at, -give[3])
  if tokens > 0 then at = bucket end
  add(seen, 't', at, tokens)
end

-- Which limit of a scope has no room (1 requests, 2 tokens, 3 slots; 0 none), and for how long.
local function lack(name, rpm, tpm, concurrency, tokens)
  local which, wait, seen = 0, 0, window(name)
  if rpm > 0 and seen.rused + 1 > rpm then
    which, wait = 1, frees(seen.r, seen.rused + 1 - rpm)
  end
  if tpm > 0 and seen.tused + tokens > tpm then
    local longer = frees(seen.t, seen.tused + tokens - tpm)
    if longer > wait then which, wait = 2, longer end
  end
  if concurrency > 0 and wait < SLOT_WAIT_MS then
    local mine = slots[name]
    if mine.count + others(name, mine) >= concurrency then which, wait = 3, SLOT_WAIT_MS end
  end
  return which, wait
end

local function count(name, rpm, tpm, concurrency, tokens)
  local seen = window(name)
  if rpm > 0 then add(seen, 'r', bucket, 1) end
  if tpm > 0 then add(seen, 't', bucket, tokens) end
  if concurrency > 0 then slots[name].count = slots[name].count + 1 end
end

local reply = {}
for _, take in ipairs(ask.takes) do
  -- the bucket; the place of the refusing scope (0: none), its limit, the wait; four figures a scope
  local answer = { bucket, 0, 0, 0 }
  for i, s in ipairs(take) do
    local which, wait = lack(s[1], s[2], s[3], s[4], s[5])
    if wait > answer[4] then answer = { bucket, i, which, wait } end
  end
  for _, s in ipairs(take) do
    if answer[2] == 0 then count(s[1], s[2], s[3], s[4], s[5]) end
  end
  for _, s in ipairs(take) do
    local seen = window(s[1])
    answer[#answer + 1] = seen.rused
    answer[#answer + 1] = seen.rused > 0 and frees(seen.r, 1) or 0
    answer[#answer + 1] = seen.tused
    answer[#answer + 1] = seen.tused > 0 and frees(seen.t, 1) or 0
  end
  reply[#reply + 1] = answer
end

for scope, seen in pairs(windows) do
  local key, fields = 'tollbridge:window:' .. scope, {}
  for field, value in pairs(seen.changed) do
    if value == 0 then
      redis.call('HDEL', key, field)
    else
      fields[#fields + 1] = field
      fields[#fields + 1] = string.format('%d', value)
    end
  end
  if #fields > 0 then
    redis.call('HSET', key, unpack(fields))
    redis.call('PEXPIRE', key, (BACK + 1) * BUCKET_MS)
  end
end

for scope, mine in pairs(slots) do
  local key = 'tollbridge:slots:' .. scope
  if mine.count > 0 then
    redis.call('HSET', key, ask.me, string.format('%d', mine.count))
    redis.call('PEXPIRE', key, ask.keep_ms)
  else
    redis.call('HDEL', key, ask.me)
  end
end

return cjson.encode(reply)
"""
