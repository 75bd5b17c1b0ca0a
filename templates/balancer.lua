-- Written by Stoker. An agent that says "drain" or "down", and is then never heard again, would keep
-- its host out for ever: to HAProxy only the agent can take its word back. The host's gate tells the
-- truth all the same: once that is open, and the agent has been silent for long enough, its word
-- counts no more. What the agent says next counts again.
local SILENCE = {{ silence }} -- seconds
local silent = {}

-- Whether the last question to an agent found nobody, or got no answer.
local function unheard(stats)
    local said = stats.agent_status or ""
    return said:find("L4CON") ~= nil or said:find("L4TOUT") ~= nil or said:find("L7TOUT") ~= nil
        or said:find("SOCKERR") ~= nil or said:find("L7RSP") ~= nil
end

local function look(backend, name, server)
    local stats = server:get_stats()
    local status, check = stats.status or "", stats.check_status or ""
    local key, now = backend .. "/" .. name, core.now().sec
    if not (status:find("agent", 1, true) and unheard(stats) and check:find("L7OK")) then
        silent[key] = nil
    elseif not silent[key] then
        silent[key] = now
    elseif now - silent[key] >= SILENCE then
        silent[key] = nil
        core.Warning("the agent of " .. key .. " is silent, and its gate is open: it serves again")
        server:agent_force_up()
        server:set_ready()
    end
end

core.register_task(function()
    while true do
        for backend, proxy in pairs(core.backends) do
            for name, server in pairs(proxy.servers) do
                look(backend, name, server)
            end
        end
        core.msleep(1000)
    end
end)
