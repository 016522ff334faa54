// SPDX-License-Identifier: BSD-2-Clause
/*
 * Host name -> gen_ai.provider.name.  The names are those of the OpenTelemetry conventions where they
 * have one, and follow their spelling where not.  A gateway's host tells nothing: empty view.
 */
#include <ctype.h>
#include <fnmatch.h>

#include "base/cleanup.h"
#include "sem/sem.h"

#define HOST_MAX 253 /* RFC 1035 2.3.4, as text */

static const struct {
	const char *host, *name;
} providers[] = {
	{ "api.openai.com", "openai" },
	{ "*.api.openai.com", "openai" }, /* regions */
	{ "chatgpt.com", "openai" },      /* Codex, signed in */
	{ "*.openai.azure.com", "azure.ai.openai" },
	{ "*.cognitiveservices.azure.com", "azure.ai.openai" },
	{ "*.services.ai.azure.com", "azure.ai.inference" },
	{ "api.anthropic.com", "anthropic" },
	{ "generativelanguage.googleapis.com", "gcp.gemini" },
	{ "*aiplatform.googleapis.com", "gcp.vertex_ai" },
	{ "cloudcode-pa.googleapis.com", "gcp.gen_ai" },
	{ "bedrock-runtime.*.amazonaws.com", "aws.bedrock" },
	{ "bedrock-runtime.*.api.aws", "aws.bedrock" },
	{ "bedrock-runtime-fips.*.amazonaws.com", "aws.bedrock" },
	{ "bedrock-agent-runtime.*.amazonaws.com", "aws.bedrock" },
	{ "bedrock-mantle.*.amazonaws.com", "aws.bedrock" },
	{ "bedrock-mantle.*.api.aws", "aws.bedrock" },
	{ "*.ml.cloud.ibm.com", "ibm.watsonx.ai" },
	{ "api.mistral.ai", "mistral_ai" },
	{ "api.groq.com", "groq" },
	{ "api.deepseek.com", "deepseek" },
	{ "api.cohere.com", "cohere" },
	{ "api.cohere.ai", "cohere" },
	{ "api.x.ai", "x_ai" },
	{ "api.perplexity.ai", "perplexity" },
	{ "openrouter.ai", "openrouter" },
	{ "api.cerebras.ai", "cerebras" },
	{ "api.together.xyz", "together_ai" },
	{ "api.together.ai", "together_ai" },
	{ "api.fireworks.ai", "fireworks_ai" },
	{ "api.moonshot.ai", "moonshot_ai" },
	{ "api.moonshot.cn", "moonshot_ai" },
	{ "models.github.ai", "github" },
	{ "*.githubcopilot.com", "github" },
	{ "integrate.api.nvidia.com", "nvidia" },
	{ "router.huggingface.co", "huggingface" },
	{ "api.z.ai", "z_ai" },
	{ "api.writer.com", "writer" },
	{ "api.voyageai.com", "voyageai" },
	{ "api.inference.crusoecloud.com", "crusoe" },
	{ "*.snowflakecomputing.com", "snowflake" },
	{ "us.inference.heroku.com", "heroku" },
	{ "ollama.com", "ollama" },
};

struct sv sem_provider(struct sv host)
{
	const char *colon = host.n ? memrchr(host.p, ':', host.n) : NULL;
	size_t n = colon ? (size_t)(colon - host.p) : host.n;
	char name[HOST_MAX + 1];

	if (n > HOST_MAX)
		return (struct sv){ NULL, 0 };
	for (size_t i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)host.p[i]);
	name[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++)
		if (!fnmatch(providers[i].host, name, 0))
			return sv(providers[i].name);
	if (colon && sv_is(sv_sub(host, n, host.n), ":11434"))
		return SV("ollama");
	return (struct sv){ NULL, 0 };
}
