// The suite's server, and the gateway in front of it.

import { writeFileSync } from 'node:fs'
import path from 'node:path'

import { freePort } from './processes.mjs'
import { suiteDirectory } from './suite.mjs'

export async function suiteServer (processes) {
  const port = await freePort()
  const env = {
    ...process.env,
    npm_config_protocol: 'http',
    npm_config_port: String(port),
    npm_config_pidfile: path.join(processes.directory, 'server.pid')
  }
  const options = { env, cwd: suiteDirectory }
  await processes.start("the suite's server", process.execPath, ['server/server.mjs'], options, port)
  return { url: `http://127.0.0.1:${port}` }
}

export async function gatewayOn (processes, program, origin, store) {
  const port = await freePort()
  const config = path.join(processes.directory, 'gateway.toml')
  writeFileSync(config, 'access_log = false\n')
  const args = ['--listen', `127.0.0.1:${port}`, '--origin', origin, '--store', store, '--config', config]
  const gateway = await processes.start('the gateway', program, args, {}, port)
  return { url: `http://127.0.0.1:${port}`, stop: gateway.stop }
}
