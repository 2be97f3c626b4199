// The suite, run as its own command line runs it: in a process of its own.

import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'

const require = createRequire(import.meta.url)

export const suiteDirectory = path.dirname(require.resolve('http-cache-tests/package.json'))
export const { version } = require('http-cache-tests/package.json')

// The result of each test by its id: true, or a kind of failure and what happened.
export async function runAll (base) {
  return JSON.parse(await cli(base, ''))
}

// One test, with what was sent; whether it passed, whatever it depends on.
export async function runOne (base, id) {
  const output = await cli(base, id)
  const verdict = output.slice(output.lastIndexOf('==== Results'))
  return { output, passed: verdict.includes('✅') || /^Y - /m.test(verdict) }
}

async function cli (base, id) {
  const env = { ...process.env, npm_config_base: base, npm_config_id: id, npm_package_config_id: '' }
  const options = { cwd: suiteDirectory, env, maxBuffer: 64 << 20 }
  const { stdout } = await promisify(execFile)(
    process.execPath, ['--no-warnings', 'cli.mjs'], options)
  return stdout
}
